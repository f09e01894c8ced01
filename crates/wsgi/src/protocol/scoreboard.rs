//! httpd's scoreboard as `server_metrics()` reports it: which children there are and what their
//! threads do.
//!
//! A snapshot is taken in an httpd child. To a worker it travels in pieces, since a large server's
//! does not fit into one frame.

use crate::protocol::codec::{CodecError, Reader, Writer};

/// A snapshot of the scoreboard. Times are in microseconds of the Unix epoch, 0 where there is
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreboardSnapshot {
    /// The most children at a time.
    pub server_limit: u32,
    /// The most threads of a child.
    pub thread_limit: u32,
    /// Which configuration since its start httpd serves.
    pub generation: u32,
    /// When httpd was started, or restarted last.
    pub restart_time: u64,
    /// When the snapshot was taken.
    pub current_time: u64,
    /// The places for children, in their order.
    pub processes: Vec<ScoreboardProcess>,
}

/// A place for a child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreboardProcess {
    /// Its process id; 0 while the place is free.
    pub pid: u32,
    /// Which configuration it serves.
    pub generation: u32,
    /// Whether it takes no new connections and ends soon.
    pub quiescing: bool,
    /// The places for threads, in their order.
    pub workers: Vec<ScoreboardWorker>,
}

/// A place for a thread of a child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreboardWorker {
    /// Which configuration it serves.
    pub generation: u32,
    /// Its state, as httpd's number; [`symbol`] is what mod_status shows for it.
    pub status: u8,
    /// Requests that it has served.
    pub access_count: u64,
    /// Bytes that it has sent.
    pub bytes_served: u64,
    /// When its last request began.
    pub start_time: u64,
    /// When its last request ended.
    pub stop_time: u64,
    /// When it was last used.
    pub last_used: u64,
    /// The client of its last request.
    pub client: Vec<u8>,
    /// The line of its last request, cut short.
    pub request: Vec<u8>,
    /// The virtual host of its last request.
    pub vhost: Vec<u8>,
}

/// The character for what a thread does; `?` where httpd has a number that is not known here.
pub fn symbol(status: u8) -> char {
    const SYMBOLS: &[u8] = b".S_RWKLDCGI";
    SYMBOLS.get(usize::from(status)).copied().map_or('?', char::from)
}

impl ScoreboardSnapshot {
    /// Appends the snapshot to `buffer`.
    ///
    /// # Panics
    /// If there are 2³² processes, or threads of one, or more.
    pub fn encode(&self, buffer: &mut Vec<u8>) {
        Writer::new(buffer)
            .u32(self.server_limit)
            .u32(self.thread_limit)
            .u32(self.generation)
            .u64(self.restart_time)
            .u64(self.current_time)
            .u32(count(&self.processes));
        for process in &self.processes {
            process.encode(&mut Writer::new(buffer));
        }
    }

    /// Reads what [`Self::encode`] has written.
    pub fn decode(payload: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(payload);
        let scoreboard = Self {
            server_limit: reader.u32()?,
            thread_limit: reader.u32()?,
            generation: reader.u32()?,
            restart_time: reader.u64()?,
            current_time: reader.u64()?,
            processes: list(&mut reader, ScoreboardProcess::decode)?,
        };
        reader.end()?;
        Ok(scoreboard)
    }
}

impl ScoreboardProcess {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u32(self.pid).u32(self.generation).u8(u8::from(self.quiescing));
        writer.u32(count(&self.workers));
        for worker in &self.workers {
            worker.encode(writer);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            pid: reader.u32()?,
            generation: reader.u32()?,
            quiescing: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(CodecError::Value("quiescing")),
            },
            workers: list(reader, ScoreboardWorker::decode)?,
        })
    }
}

impl ScoreboardWorker {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .u32(self.generation)
            .u8(self.status)
            .u64(self.access_count)
            .u64(self.bytes_served)
            .u64(self.start_time)
            .u64(self.stop_time)
            .u64(self.last_used)
            .bytes(&self.client)
            .bytes(&self.request)
            .bytes(&self.vhost);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            generation: reader.u32()?,
            status: reader.u8()?,
            access_count: reader.u64()?,
            bytes_served: reader.u64()?,
            start_time: reader.u64()?,
            stop_time: reader.u64()?,
            last_used: reader.u64()?,
            client: reader.bytes()?.to_vec(),
            request: reader.bytes()?.to_vec(),
            vhost: reader.bytes()?.to_vec(),
        })
    }
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).expect("httpd counts its places in 32 bits")
}

/// A list with its length in front. It grows as items are read: a false length costs nothing.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let length = reader.u32()?;
    let mut items = Vec::new();
    for _ in 0..length {
        items.push(item(reader)?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn symbols_are_those_of_mod_status() {
        let shown: String = (0..12).map(symbol).collect();
        assert_eq!(shown, ".S_RWKLDCGI?");
    }

    #[test]
    fn a_false_length_is_refused() {
        let mut buffer = Vec::new();
        ScoreboardSnapshot::default().encode(&mut buffer);
        let length = buffer.len();
        buffer[length - 4..].fill(255);
        assert_eq!(ScoreboardSnapshot::decode(&buffer), Err(CodecError::Short));
    }

    fn workers() -> impl Strategy<Value = ScoreboardWorker> {
        let numbers = prop::array::uniform5(any::<u64>());
        let texts = prop::array::uniform3(prop::collection::vec(any::<u8>(), 0..20));
        (any::<u32>(), any::<u8>(), numbers, texts).prop_map(|(generation, status, n, t)| {
            let [access_count, bytes_served, start_time, stop_time, last_used] = n;
            let [client, request, vhost] = t;
            ScoreboardWorker {
                generation,
                status,
                access_count,
                bytes_served,
                start_time,
                stop_time,
                last_used,
                client,
                request,
                vhost,
            }
        })
    }

    fn scoreboards() -> impl Strategy<Value = ScoreboardSnapshot> {
        let process = (any::<[u32; 2]>(), any::<bool>(), prop::collection::vec(workers(), 0..4));
        let process = process.prop_map(|([pid, generation], quiescing, workers)| {
            ScoreboardProcess { pid, generation, quiescing, workers }
        });
        let processes = prop::collection::vec(process, 0..4);
        (any::<[u32; 3]>(), any::<[u64; 2]>(), processes).prop_map(|(limits, times, processes)| {
            ScoreboardSnapshot {
                server_limit: limits[0],
                thread_limit: limits[1],
                generation: limits[2],
                restart_time: times[0],
                current_time: times[1],
                processes,
            }
        })
    }

    proptest! {
        #[test]
        fn snapshots_round_trip(scoreboard in scoreboards()) {
            let mut buffer = Vec::new();
            scoreboard.encode(&mut buffer);
            prop_assert_eq!(ScoreboardSnapshot::decode(&buffer), Ok(scoreboard));
        }

        #[test]
        fn nothing_panics(payload: Vec<u8>) {
            let _ = ScoreboardSnapshot::decode(&payload);
        }
    }
}
