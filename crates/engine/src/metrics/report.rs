//! Metrics as the dicts that applications get.

use std::time::Duration;

use python::{Attached, Object, Result};

use super::phase::Phase;
use super::{Recorder, Report, Totals};
use crate::clock::now;
use crate::usage::{Cpu, MemoryUsage};

/// `request_metrics()` of a period that is over.
pub(super) fn requests<'py>(
    py: Attached<'py>,
    recorder: &Recorder,
    report: &Report,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    let length = report.length.as_secs_f64();
    add_process(&dict, report.memory)?;
    dict.set("start_time", &py.float(report.period.start)?)?;
    dict.set("stop_time", &py.float(report.stop)?)?;
    dict.set("sample_period", &py.float(length)?)?;
    for (name, time) in processor(report.cpu) {
        let rate = py.float(time.as_secs_f64() / length)?;
        dict.set(&format!("{name}_utilization"), &rate)?;
        // What it was called first, though it is no time.
        dict.set(&format!("{name}_time"), &rate)?;
    }
    add_counts(&dict, recorder, report)?;
    add_phases(&dict, recorder, report)?;
    add_threads(&dict, report)?;
    Ok(dict)
}

/// `process_metrics()`.
pub(super) fn process<'py>(
    py: Attached<'py>,
    recorder: &Recorder,
    totals: &Totals,
) -> Result<'py, Object<'py>> {
    let dict = py.dict()?;
    add_process(&dict, totals.memory)?;
    for (name, time) in processor(Cpu::of_process()) {
        dict.set(&format!("{name}_time"), &py.float(time.as_secs_f64())?)?;
    }
    let current = now();
    let running = Duration::try_from_secs_f64(current - totals.process_start).unwrap_or_default();
    dict.set("restart_time", &py.float(totals.process_start)?)?;
    dict.set("current_time", &py.float(current)?)?;
    dict.set("running_time", &int(py, running.as_secs())?)?;
    dict.set("request_busy_time", &py.float(totals.busy.as_secs_f64())?)?;
    dict.set("request_count", &int(py, totals.requests)?)?;
    dict.set("request_threads", &int(py, recorder.maximum.into())?)?;
    dict.set("active_requests", &int(py, totals.active as u64)?)?;
    let threads = py.list()?;
    for (number, requests) in &totals.threads {
        let thread = py.dict()?;
        thread.set("thread_id", &py.int(*number)?)?;
        thread.set("request_count", &int(py, *requests)?)?;
        threads.append(&thread)?;
    }
    dict.set("threads", &threads)?;
    Ok(dict)
}

/// The entries of both reports about the process.
fn add_process<'py>(dict: &Object<'py>, memory: MemoryUsage) -> Result<'py, ()> {
    let py = dict.py();
    dict.set("pid", &int(py, std::process::id().into())?)?;
    dict.set("memory_rss", &int(py, memory.resident)?)?;
    dict.set("memory_max_rss", &int(py, memory.most)?)
}

fn processor(cpu: Cpu) -> [(&'static str, Duration); 3] {
    [("cpu_user", cpu.user), ("cpu_system", cpu.system), ("cpu", cpu.total())]
}

fn add_counts<'py>(dict: &Object<'py>, recorder: &Recorder, report: &Report) -> Result<'py, ()> {
    let py = dict.py();
    let (period, length) = (&report.period, report.length.as_secs_f64());
    let active = report.threads.iter().filter(|(share, _)| share.active).count();
    for (name, value) in [
        ("request_threads_maximum", recorder.maximum.into()),
        ("request_threads_started", report.threads.len() as u64),
        ("request_threads_active", active as u64),
        ("request_count", period.requests),
        ("status_1xx", period.statuses[0]),
        ("status_2xx", period.statuses[1]),
        ("status_3xx", period.statuses[2]),
        ("status_4xx", period.statuses[3]),
        ("status_5xx", period.statuses[4]),
        ("input_bytes", period.input.bytes),
        ("input_reads", period.input.count),
        ("output_bytes", period.output.bytes),
        ("output_writes", period.output.count),
        ("gil_wait_count", period.gil_waits),
    ] {
        dict.set(name, &int(py, value)?)?;
    }
    let busy: Duration = report.threads.iter().map(|(share, _)| share.busy).sum();
    let capacity = length * f64::from(recorder.maximum.max(1));
    dict.set("capacity_utilization", &py.float(busy.as_secs_f64() / capacity)?)?;
    let throughput = Duration::from_secs(period.requests).as_secs_f64() / length;
    dict.set("request_throughput", &py.float(throughput)?)
}

fn add_phases<'py>(dict: &Object<'py>, recorder: &Recorder, report: &Report) -> Result<'py, ()> {
    let (py, phases) = (dict.py(), &report.period.phases);
    for (name, phase, everywhere) in [
        ("server_time", &phases.server, true),
        ("queue_time", &phases.queue, false),
        ("daemon_time", &phases.daemon, false),
        ("application_time", &phases.application, true),
        ("request_time", &phases.request, true),
        ("gil_wait_time", &phases.gil_wait, true),
        ("input_read_time", &phases.input_read, true),
        ("output_write_time", &phases.output_write, true),
    ] {
        let there = everywhere || recorder.daemon;
        let mean = if there { py.float(phase.mean().as_secs_f64())? } else { py.none() };
        dict.set(name, &mean)?;
        let (shortest, longest) = extremes(py, phase)?;
        dict.set(&format!("{name}_min_us"), &shortest)?;
        dict.set(&format!("{name}_max_us"), &longest)?;
        let buckets = py.list()?;
        for count in phase.buckets {
            buckets.append(&int(py, count)?)?;
        }
        dict.set(&format!("{name}_buckets"), &buckets)?;
    }
    Ok(())
}

fn extremes<'py>(py: Attached<'py>, phase: &Phase) -> Result<'py, (Object<'py>, Object<'py>)> {
    let Some((shortest, longest)) = phase.extremes() else { return Ok((py.none(), py.none())) };
    let whole = |time: Duration| int(py, u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    Ok((whole(shortest)?, whole(longest)?))
}

/// One item for each thread that has run requests, in the order of their numbers.
fn add_threads<'py>(dict: &Object<'py>, report: &Report) -> Result<'py, ()> {
    let py = dict.py();
    let [completed, busy, cpu, elapsed, longest] =
        [py.list()?, py.list()?, py.list()?, py.list()?, py.list()?];
    for (share, running) in &report.threads {
        completed.append(&int(py, share.completed)?)?;
        for (list, time) in [
            (&busy, share.busy),
            (&cpu, share.cpu),
            (&elapsed, *running),
            (&longest, share.longest),
        ] {
            list.append(&py.float(time.as_secs_f64())?)?;
        }
    }
    dict.set("request_threads_completed", &completed)?;
    dict.set("request_threads_buckets", &completed)?;
    dict.set("request_threads_busy_time", &busy)?;
    dict.set("request_threads_cpu_time", &cpu)?;
    dict.set("request_threads_current_elapsed", &elapsed)?;
    dict.set("request_threads_max_duration", &longest)
}

/// A count as an `int`.
pub(super) fn int(py: Attached<'_>, value: u64) -> Result<'_, Object<'_>> {
    py.int(i64::try_from(value).unwrap_or(i64::MAX))
}
