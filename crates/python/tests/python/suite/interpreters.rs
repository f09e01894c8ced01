//! Interpreters, threads, handles.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;

use python::{
    AttachError, EndError, Handle, Interpreter, InterpreterId, Options, initialize, signals,
};

use super::{main, python, run, shown, sub};

#[test]
fn a_second_initialisation_joins() {
    let first = python();
    let second = initialize(&Options::default()).unwrap();
    assert!(second.joined);
    assert_eq!(first.main.id(), second.main.id());
    assert_eq!(first.main.id(), InterpreterId::MAIN);
}

#[test]
fn interpreters_are_apart() {
    let (one, two) = (sub(), sub());
    one.attach(|py| py.import(c"sys").unwrap().set_attr(c"mark", &py.none()).unwrap());
    assert!(two.attach(|py| py.import(c"sys").unwrap().attr(c"mark").is_err()));
    assert!(main(|py| py.import(c"sys").unwrap().attr(c"mark").is_err()));
    assert_ne!(one.id(), two.id());
    assert_eq!(one.attach(|py| Interpreter::current(py).id()), one.id());
    assert_eq!(one.attach(|py| Interpreter::main(py).id()), InterpreterId::MAIN);
}

#[test]
fn attaching_nests_or_is_refused() {
    let other = sub();
    main(|py| {
        assert_eq!(main(|_| 1), 1);
        assert_eq!(other.try_attach(|_| ()), Err(AttachError::Busy(InterpreterId::MAIN)));
        let inside = py.detach(|| other.attach(|py| Interpreter::current(py).id()));
        assert_eq!(inside, other.id());
        assert_eq!(py.interpreter(), InterpreterId::MAIN);
        assert_eq!(py.detach(|| main(|py| py.int(3).unwrap().to_i64().unwrap())), 3);
    });
}

#[test]
fn a_panic_detaches() {
    let other = sub();
    let caught = catch_unwind(AssertUnwindSafe(|| main(|py| py.detach(|| panic!("inside")))));
    assert!(caught.is_err());
    assert_eq!(other.attach(|py| py.int(1).unwrap().to_i64().unwrap()), 1);
}

#[test]
fn thread_locals_last_as_long_as_the_thread() {
    let other = sub();
    let source = "import threading, sys\nsys.kept = threading.local()\n";
    for interpreter in [&python().main, &other] {
        interpreter.attach(|py| drop(run(py, source, &[])));
        let look = "import sys\nbefore = getattr(sys.kept, 'x', 0)\nsys.kept.x = before + 1\n";
        let counts = |_| interpreter.attach(|py| shown(&run(py, look, &[]), "before"));
        let here: Vec<_> = (0..3).map(counts).collect();
        assert_eq!(here, ["0", "1", "2"]);
        let there = thread::scope(|scope| scope.spawn(|| counts(0)).join().unwrap());
        assert_eq!(there, "0");
    }
}

#[test]
fn threads_that_end_free_their_states() {
    let other = sub();
    let count = || other.attach(|py| run(py, "import gc", &[]).length().unwrap());
    for _ in 0..20 {
        thread::scope(|scope| assert!(scope.spawn(count).join().unwrap() > 0));
    }
    // Only possible if those threads have left nothing behind.
    assert_eq!(other.clone().end(), Ok(()));
    assert_eq!(other.try_attach(|_| ()), Err(AttachError::Ended(other.id())));
    assert_eq!(other.end(), Err(EndError::Ended));
}

#[test]
fn ending_runs_what_has_to_run() {
    let other = sub();
    let directory = std::env::temp_dir().join(format!("dormouse-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mark = directory.join("atexit");
    let source = format!(
        "import atexit, threading\natexit.register(lambda: open({mark:?}, 'a').write('e'))\n\
         threading.Thread(target=lambda: open({mark:?}, 'a').write('t'), daemon=False).start()\n"
    );
    other.attach(|py| drop(run(py, &source, &[])));
    other.end().unwrap();
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "te");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn ending_is_refused_while_somebody_is_inside() {
    let other = sub();
    let (entered, wait) = (channel(), channel::<()>());
    thread::scope(|scope| {
        let other = &other;
        let inside = scope.spawn(move || {
            other.attach(|py| {
                entered.0.send(()).unwrap();
                py.detach(move || wait.1.recv().unwrap());
            });
        });
        entered.1.recv().unwrap();
        assert_eq!(other.clone().end(), Err(EndError::InUse));
        wait.0.send(()).unwrap();
        // A scope waits for the work, a join for the thread.
        inside.join().unwrap();
    });
    assert_eq!(main(|_| other.clone().end()), Err(EndError::Attached));
    assert_eq!(python().main.clone().end(), Err(EndError::Main));
    assert_eq!(other.end(), Ok(()));
}

#[test]
fn daemon_threads_keep_an_interpreter() {
    let other = sub();
    // CPython refuses daemon threads in isolated interpreters only; these are not.
    let source =
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()";
    other.attach(|py| drop(run(py, source, &[])));
    assert_eq!(other.end(), Err(EndError::ThreadsLeft));
    assert_eq!(main(|py| py.int(5).unwrap().to_i64().unwrap()), 5);
}

#[test]
fn handles_cross_threads_and_know_their_interpreter() {
    let other = sub();
    let handle: Handle = main(|py| py.text("kept").unwrap().handle());
    let shown =
        thread::scope(|scope| scope.spawn(|| main(|py| handle.bind(py).display())).join().unwrap());
    assert_eq!(shown, "kept");
    let wrong = catch_unwind(AssertUnwindSafe(|| other.attach(|py| drop(handle.bind(py)))));
    assert!(wrong.is_err());
    main(|py| handle.release(py));
    // Dropped while detached it leaks, and nothing worse.
    drop(main(|py| py.list().unwrap().handle()));
}

#[test]
fn a_handle_counts_its_reference() {
    main(|py| {
        let list = py.list().unwrap();
        let count = |list: &python::Object<'_>| {
            let sys = py.import(c"sys").unwrap();
            sys.call_method(c"getrefcount", &[list]).unwrap().to_i64().unwrap()
        };
        let before = count(&list);
        let handle = list.handle();
        assert_eq!(count(&list), before + 1);
        handle.release(py);
        assert_eq!(count(&list), before);
    });
}

#[test]
fn gil_state_users_work_in_the_main_interpreter() {
    let other = sub();
    // ctypes calls back through PyGILState_Ensure, on a thread that saw a sub-interpreter first.
    let source = "
import ctypes
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
result = call(41)";
    let result = thread::scope(|scope| {
        let work = || {
            other.attach(|py| drop(run(py, "x = 1", &[])));
            main(|py| shown(&run(py, source, &[]), "result"))
        };
        scope.spawn(work).join().unwrap()
    });
    assert_eq!(result, "42");
}

#[test]
fn gil_state_users_work_in_sub_interpreters() {
    let other = sub();
    // The GIL is held while the callback asks for it, and it is this interpreter that it finds.
    let source = "
import ctypes, builtins
builtins.here = 41
call = ctypes.PYFUNCTYPE(ctypes.c_int)(lambda: builtins.here + 1)
result = call()";
    let (sent, result) = std::sync::mpsc::channel();
    let there = other.clone();
    let thread = thread::spawn(move || {
        main(|py| drop(run(py, "x = 1", &[])));
        sent.send(there.attach(|py| shown(&run(py, source, &[]), "result"))).unwrap();
        main(|py| drop(run(py, source, &[])));
    });
    assert_eq!(result.recv_timeout(std::time::Duration::from_secs(20)).as_deref(), Ok("42"));
    thread.join().unwrap();
    other.end().unwrap();
}

#[test]
fn dispositions_are_put_back() {
    const SIGUSR2: u32 = 12;
    let source = "import ctypes\nctypes.CDLL(None).signal(12, ctypes.c_void_p(1))";
    let ignored = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
        u64::from_str_radix(mask, 16).unwrap() & (1 << (SIGUSR2 - 1)) != 0
    };
    assert!(!ignored());
    main(|py| {
        signals::preserved(|| {
            drop(run(py, source, &[]));
            assert!(ignored());
        });
    });
    assert!(!ignored());
}

#[test]
fn an_interpreter_outlives_all_threads_that_used_it() {
    let other = sub();
    for _ in 0..3 {
        // Each thread makes a state for itself and takes it along when it ends.
        let there = other.clone();
        let used = thread::spawn(move || there.attach(|py| py.list().unwrap().length().unwrap()));
        assert_eq!(used.join().unwrap(), 0);
    }
    other.end().unwrap();
}

#[test]
fn any_thread_may_join_the_threads() {
    let other = sub();
    let there = other.clone();
    // `threading` takes the thread that imports it first for the main one, and that thread ends.
    let source = "
import threading
from concurrent.futures import ThreadPoolExecutor
done = []
pool = ThreadPoolExecutor(1)
pool.submit(done.append, 'pool')
thread = threading.Thread(target=done.append, args=['thread'])
thread.start()
import builtins
builtins.done = done
";
    thread::spawn(move || there.attach(|py| drop(run(py, source, &[])))).join().unwrap();
    let done = other.attach(|py| {
        py.join_threads().unwrap();
        py.import(c"builtins").unwrap().attr(c"done").unwrap().length().unwrap()
    });
    assert_eq!(done, 2);
    other.end().unwrap();
}

#[test]
fn an_interpreter_may_have_a_gil_of_its_own() {
    let own = main(Interpreter::create_with_own_gil);
    assert_eq!(own.is_ok(), Interpreter::can_have_own_gil());
    let Ok(own) = own else { return };
    // While the main interpreter's GIL is held, this one runs.
    let there = own.clone();
    let answer = main(move |_py| {
        let work = move || there.attach(|py| shown(&run(py, "x = 6 * 7", &[]), "x"));
        thread::spawn(work).join().unwrap()
    });
    assert_eq!(answer, "42");
    // Modules that were not made for that are refused by name.
    let refusal = own.attach(|py| {
        let source = "
try:
    import readline
    refusal = 'none'
except ImportError as error:
    refusal = str(error)";
        shown(&run(py, source, &[]), "refusal")
    });
    assert!(refusal == "none" || refusal.contains("readline"), "{refusal}");
    own.end().unwrap();
}
