//! The way to the broker: it copies bytes, and cuts each connection after as many as chance says.
//!
//! It knows no packets, so a cut falls anywhere, into the midst of one as well.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use fastrand::Rng;

use super::state::State;

/// Most connections last this many bytes at most, both ways together.
const BYTES_MAX: i64 = 60_000;
/// Each fourth may last longer, or large messages would never pass.
const BYTES_MAX_LONG: i64 = 600_000;
/// Copying needs little of a stack, and there are many who copy.
const STACK: usize = 128 * 1024;

/// Listens on a free port for connections to the broker. It ends with the process.
pub(crate) fn start(
    broker: SocketAddr,
    mut rng: Rng,
    state: Arc<State>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let longest = if rng.u8(..4) == 0 { BYTES_MAX_LONG } else { BYTES_MAX };
            let budget = rng.i64(1..=longest);
            // Without the broker, or threads, the connection is closed: the proxy takes it for a cut.
            if let Ok(far) = TcpStream::connect(broker) {
                let _ = Connection::start(near, far, budget, &state);
            }
        }
    });
    Ok(address)
}

/// A connection and its other half.
#[derive(Debug)]
struct Connection {
    near: TcpStream,
    far: TcpStream,
    budget: AtomicI64,
    state: Arc<State>,
}

impl Connection {
    fn start(
        near: TcpStream,
        far: TcpStream,
        budget: i64,
        state: &Arc<State>,
    ) -> std::io::Result<()> {
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let state = Arc::clone(state);
        let both = Arc::new(Self { near, far, budget: AtomicI64::new(budget), state });
        let again = Arc::clone(&both);
        let thread = || thread::Builder::new().stack_size(STACK);
        thread().spawn(move || both.copy(&both.near, &both.far))?;
        thread().spawn(move || {
            again.copy(&again.far, &again.near);
            again.drain();
        })?;
        Ok(())
    }

    /// Copies until one end closes or the budget is spent. Then nothing more reaches either end.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read) = from.read(&mut buffer) {
            if read == 0 {
                break;
            }
            let left = self.budget.fetch_sub(read as i64, Ordering::Relaxed);
            let passes = usize::try_from(left).unwrap_or(0).min(read);
            if to.write_all(&buffer[..passes]).is_err() {
                break;
            }
            if passes < read {
                // Whoever crosses zero has made the cut; the other direction only finds it.
                if left > 0 {
                    self.state.upstream_cuts.add(1);
                }
                break;
            }
        }
        let _ = self.near.shutdown(Shutdown::Both);
        let _ = self.far.shutdown(Shutdown::Write);
    }

    /// Reads what the broker still writes, for nobody. Mosquitto takes a PUBREL that it couldn't write for one that it
    /// never had to write, and publishes the message a second time; so it has to find the end when it reads.
    fn drain(&self) {
        let mut buffer = [0; 16 * 1024];
        while (&self.far).read(&mut buffer).is_ok_and(|read| read > 0) {}
    }
}
