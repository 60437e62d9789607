//! A proxy that hands bytes on and understands none of them. Told to, it cuts connections so that answers are lost: what
//! the client sent reaches the server, and what the server says to it reaches nobody.
use super::random::Random;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

struct Shared {
    /// In how many of a thousand pieces that clients send the answer is lost.
    per_mille: AtomicUsize,
    cuts: AtomicU64,
    random: Mutex<Random>,
    stop: AtomicBool,
}

/// See the module's documentation.
pub struct TcpProxy {
    /// `host:port`.
    pub address: String,
    shared: Arc<Shared>,
}

impl TcpProxy {
    pub fn start(server: String, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            per_mille: AtomicUsize::new(0),
            cuts: AtomicU64::new(0),
            random: Mutex::new(Random::new(seed)),
            stop: AtomicBool::new(false),
        });
        let (address, of_thread) = (listener.local_addr().unwrap().to_string(), shared.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = stream else { continue };
                // A server that is away is a connection that ends.
                if let Ok(server) = TcpStream::connect(&server) {
                    let _ = join(client, server, &of_thread);
                }
            }
        });
        Self { address, shared }
    }

    /// Loses answers from now on, or none.
    pub fn lose(&self, per_mille: usize) {
        self.shared.per_mille.store(per_mille, Ordering::SeqCst);
    }

    /// Answers that were lost so far, each with its connection.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

fn join(client: TcpStream, server: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let is_cut = Arc::new(AtomicBool::new(false));
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (decided, shared_up, shared_down) = (is_cut.clone(), shared.clone(), shared.clone());
    std::thread::spawn(move || {
        let cut = || {
            let mut random = shared_up.random.lock().unwrap();
            if random.below(1000) < shared_up.per_mille.load(Ordering::SeqCst) {
                // Before the server has it, so that its answer is not let through.
                decided.store(true, Ordering::SeqCst);
            }
            true
        };
        copy(&from_client, &to_server, cut)
    });
    std::thread::spawn(move || {
        let through = || {
            let is_cut = is_cut.load(Ordering::SeqCst);
            shared_down.cuts.fetch_add(u64::from(is_cut), Ordering::SeqCst);
            !is_cut
        };
        copy(&server, &client, through)
    });
    Ok(())
}

/// Copies until an end closes, or a piece is not to go `through`; closes both then.
fn copy(mut from: &TcpStream, mut to: &TcpStream, mut through: impl FnMut() -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || !through() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
