//! A peer that a test writes: a thread for each connection that it is given.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

pub struct Peer {
    pub address: SocketAddr,
    accepted: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Peer {
    /// Serves each connection, which has a number from 0 on, on a free port of 127.0.0.1.
    pub fn new(serve: impl Fn(TcpStream, u64) + Send + Sync + 'static) -> Self {
        Self::at("127.0.0.1", serve)
    }

    pub fn at(address: &str, serve: impl Fn(TcpStream, u64) + Send + Sync + 'static) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let listener = TcpListener::bind((address, 0)).unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            accepted: Arc::default(),
            is_over: Arc::default(),
        };
        let (accepted, is_over) = (Arc::clone(&peer.accepted), Arc::clone(&peer.is_over));
        let serve = Arc::new(serve);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let limit = Some(Duration::from_secs(20));
                stream.set_read_timeout(limit).unwrap();
                stream.set_write_timeout(limit).unwrap();
                stream.set_nodelay(true).unwrap();
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(stream, number));
            }
        });
        peer
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections so far.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address); // so that it looks
    }
}
