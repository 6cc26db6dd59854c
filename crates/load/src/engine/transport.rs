//! A socket, with or without TLS: bytes go in and out as they are, never waiting.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, Socket, Type};

/// Bytes read at once. One buffer a thread: what it holds is used up before the next socket is read.
pub const BUFFER: usize = 1 << 16;

/// What TLS has decrypted at once.
const PLAIN: usize = 1 << 14;

/// Bytes that may wait for a peer that does not read before more is refused; one request waits as a whole, however
/// long it is.
const MOST_UNSENT: usize = 1 << 22;

/// Bytes that may wait before a connection takes no further request.
const BEHIND: usize = 1 << 20;

/// Memory for what waits that a connection keeps.
const KEPT: usize = 1 << 12;

/// Bytes that TLS has encrypted and not sent.
const MOST_ENCRYPTED: usize = 1 << 17;

/// Where bytes are read to, shared by all sockets of a thread.
pub struct Buffers {
    raw: Vec<u8>,
    plain: Vec<u8>,
}

impl Default for Buffers {
    fn default() -> Self {
        Self {
            raw: vec![0; BUFFER],
            plain: vec![0; PLAIN],
        }
    }
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// So many bytes of the socket were handed on; there may be more.
    Some,
    /// All that there was.
    All,
    /// All, and the peer will send no more.
    End,
}

/// One connection to a peer.
pub struct Transport {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// What came behind the handshake, and is handed on when whoever reads knows that it is over.
    has_early: bool,
    /// Bytes that wait, before they are encrypted.
    unsent: Vec<u8>,
    /// Where the rest of `unsent` begins.
    done: usize,
    /// Bytes that were given to be sent so far.
    given: u64,
}

impl Transport {
    /// Begins to connect.
    ///
    /// # Errors
    /// The system refuses: no descriptor or port is left, or the network is unreachable.
    pub fn connect(address: SocketAddr, nodelay: bool) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(nodelay)?;
        match socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(Self {
            socket,
            tls: None,
            has_early: false,
            unsent: Vec::new(),
            done: 0,
            given: 0,
        })
    }

    /// Why connecting failed, once the socket is ready; nothing if it did not.
    ///
    /// # Errors
    /// As the system says it.
    pub fn connected(&self) -> io::Result<()> {
        match self.socket.take_error()? {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Begins TLS on a socket that is connected.
    ///
    /// # Errors
    /// What cannot be begun with this configuration, or sent.
    pub fn secure(
        &mut self,
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        tls.set_buffer_limit(Some(MOST_ENCRYPTED));
        self.tls = Some(Box::new(tls));
        self.flush()
    }

    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// What both sides agreed to speak.
    #[must_use]
    pub fn agreed(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.alpn_protocol())
    }

    /// Whether so much waits for the peer that nothing should be added.
    #[inline]
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.unsent.len() - self.done > BEHIND
    }

    /// Whether bytes wait that the system has not taken yet.
    #[inline]
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        let is_encrypted = |tls: &ClientConnection| tls.wants_write();
        self.done < self.unsent.len() || self.tls.as_deref().is_some_and(is_encrypted)
    }

    /// Bytes that were given to be sent so far, and how many of them at most the system has not taken.
    #[must_use]
    pub fn given(&self) -> (u64, usize) {
        let encrypted = match &self.tls {
            Some(tls) if tls.wants_write() => MOST_ENCRYPTED,
            _ => 0,
        };
        let unsent = (self.unsent.len() - self.done + encrypted) as u64;
        (self.given, unsent.min(self.given) as usize)
    }

    /// Sends bytes, now or as soon as the peer takes them.
    ///
    /// # Errors
    /// The connection is gone.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.given += bytes.len() as u64;
        if self.tls.is_none() && self.unsent.is_empty() {
            let sent = match self.socket.send(bytes) {
                Ok(sent) => sent,
                Err(error) if would_block(&error) => 0,
                Err(error) => return Err(error),
            };
            if sent < bytes.len() {
                self.unsent.extend_from_slice(&bytes[sent..]);
            }
            return Ok(());
        }
        self.send_more(bytes)
    }

    fn send_more(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unsent.len() - self.done > MOST_UNSENT {
            let why = "the peer does not read what it makes us send";
            return Err(io::Error::new(ErrorKind::QuotaExceeded, why));
        }
        let mut now = 0;
        if let Some(tls) = self.tls.as_mut().filter(|_| self.unsent.is_empty()) {
            now = tls.writer().write(bytes)?;
        }
        if now < bytes.len() {
            self.unsent.drain(..std::mem::take(&mut self.done));
            self.unsent.extend_from_slice(&bytes[now..]);
        }
        self.flush()
    }

    /// Takes bytes that the next `flush` sends, so that several requests go out at once. True when there were none.
    #[inline]
    pub fn hold(&mut self, bytes: &[u8]) -> bool {
        self.given += bytes.len() as u64;
        let was_empty = self.unsent.is_empty();
        self.unsent.extend_from_slice(bytes);
        was_empty
    }

    /// Sends on what waited.
    ///
    /// # Errors
    /// As `send`.
    #[inline]
    pub fn flush(&mut self) -> io::Result<()> {
        if self.tls.is_some() {
            return self.flush_secret();
        }
        while self.done < self.unsent.len() {
            match self.socket.send(&self.unsent[self.done..]) {
                Ok(sent) => self.done += sent,
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.all_sent();
        Ok(())
    }

    fn flush_secret(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        loop {
            if self.done < self.unsent.len() && !tls.is_handshaking() {
                self.done += tls.writer().write(&self.unsent[self.done..])?;
            }
            if !tls.wants_write() {
                break;
            }
            match tls.write_tls(&mut &self.socket) {
                Ok(_) => {}
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.all_sent();
        Ok(())
    }

    fn all_sent(&mut self) {
        if self.unsent.capacity() > KEPT {
            self.unsent = Vec::new();
        }
        self.unsent.clear();
        self.done = 0;
    }

    /// Reads once, and hands on what came. The read that ends the handshake of TLS hands on nothing: what came behind it
    /// comes with the next one.
    ///
    /// # Errors
    /// The connection is gone, or its TLS is broken: then what came before was handed on.
    #[inline]
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        mut hand_on: impl FnMut(&[u8]),
    ) -> io::Result<Came> {
        if self.tls.is_some() {
            return self.receive_secret(buffers, &mut hand_on);
        }
        let came = match (&self.socket).read(&mut buffers.raw) {
            Ok(came) => came,
            Err(error) if would_block(&error) => return Ok(Came::All),
            Err(error) => return Err(error),
        };
        if came > 0 {
            hand_on(&buffers.raw[..came]);
        }
        Ok(Came::of(came))
    }

    fn receive_secret(
        &mut self,
        buffers: &mut Buffers,
        hand_on: &mut impl FnMut(&[u8]),
    ) -> io::Result<Came> {
        let Some(tls) = &mut self.tls else {
            return Ok(Came::All);
        };
        let was_handshaking = tls.is_handshaking();
        if std::mem::take(&mut self.has_early) {
            let is_over = decrypted(tls, &mut buffers.plain, hand_on)?;
            return Ok(if is_over { Came::End } else { Came::Some });
        }
        let came = match (&self.socket).read(&mut buffers.raw) {
            Ok(0) if was_handshaking => return Err(io::Error::other("closed in the handshake")),
            // Whoever cut this off may not have been the peer (RFC 8446 6.1).
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(came) => came,
            Err(error) if would_block(&error) => return Ok(Came::All),
            Err(error) if was_handshaking => return Err(io::Error::other(error)),
            Err(error) => return Err(error),
        };
        let mut raw = &buffers.raw[..came];
        let mut is_over = false;
        while !raw.is_empty() && !is_over {
            tls.read_tls(&mut raw)?;
            let processed = tls.process_new_packets();
            if !was_handshaking || tls.is_handshaking() {
                is_over = decrypted(tls, &mut buffers.plain, hand_on)?;
            } else if let Ok(state) = &processed {
                self.has_early = state.plaintext_bytes_to_read() > 0 || state.peer_has_closed();
            }
            if let Err(error) = processed {
                let _ = self.flush(); // the alert that tells the peer why
                return Err(io::Error::other(error));
            }
        }
        let has_early = self.has_early;
        match self.flush() {
            Err(error) if was_handshaking => Err(io::Error::other(error)),
            Err(error) => Err(error),
            Ok(()) if is_over => Ok(Came::End),
            Ok(()) if has_early => Ok(Came::Some),
            Ok(()) => Ok(Came::of(came)),
        }
    }
}

impl Came {
    /// A stream socket that gives less than was asked for has no more.
    fn of(bytes: usize) -> Self {
        match bytes {
            0 => Self::End,
            BUFFER => Self::Some,
            _ => Self::All,
        }
    }
}

/// Hands on what was decrypted. True when the peer said that no more follows.
fn decrypted(
    tls: &mut ClientConnection,
    plain: &mut [u8],
    hand_on: &mut impl FnMut(&[u8]),
) -> io::Result<bool> {
    loop {
        match tls.reader().read(plain) {
            Ok(0) => return Ok(true),
            Ok(length) => hand_on(&plain[..length]),
            Err(error) if would_block(&error) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn would_block(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// A transport that is connected, and its peer.
    fn pair() -> (Transport, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let transport = Transport::connect(listener.local_addr().unwrap(), true).unwrap();
        let (peer, _) = listener.accept().unwrap();
        transport.connected().unwrap();
        (transport, peer)
    }

    /// What one read gives, once there is something.
    fn read(transport: &mut Transport) -> (Vec<u8>, io::Result<Came>) {
        let mut buffers = Buffers::default();
        let begun = Instant::now();
        loop {
            let mut got = Vec::new();
            let came = transport.receive(&mut buffers, |bytes| got.extend_from_slice(bytes));
            if !got.is_empty() || !matches!(came, Ok(Came::All)) {
                return (got, came);
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "nothing came");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_comes_is_handed_on_and_its_end_is_told() {
        let (mut transport, mut peer) = pair();
        peer.write_all(b"some").unwrap();
        let (got, came) = read(&mut transport);
        assert_eq!((&got[..], came.unwrap()), (&b"some"[..], Came::All));
        peer.write_all(&vec![7; BUFFER + 1]).unwrap();
        thread::sleep(Duration::from_millis(20));
        let (got, came) = read(&mut transport);
        assert_eq!(came.unwrap() == Came::Some, got.len() == BUFFER);
        drop(peer);
        let mut got = got.len();
        let came = loop {
            match read(&mut transport) {
                (more, Ok(Came::Some | Came::All)) => got += more.len(),
                (_, came) => break came,
            }
        };
        assert_eq!((got, came.unwrap()), (BUFFER + 1, Came::End));
    }

    #[test]
    fn what_a_slow_peer_does_not_take_waits_in_order() {
        let (mut transport, mut peer) = pair();
        let long: Vec<u8> = (0..12_000_000_u32).map(|at| (at % 251) as u8).collect();
        transport.send(&long).unwrap();
        assert!(
            transport.unsent.len() > MOST_UNSENT,
            "the system took it all"
        );
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            got
        });
        while !transport.unsent.is_empty() {
            transport.flush().unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(
            transport.unsent.capacity(),
            0,
            "a long request leaves no memory behind"
        );
        assert!(transport.hold(b"one"));
        assert!(!transport.hold(b"two"));
        transport.send(b"three").unwrap();
        transport.flush().unwrap();
        drop(transport);
        let got = reader.join().unwrap();
        assert_eq!(got.len(), long.len() + 11);
        assert!(got.starts_with(&long) && got.ends_with(b"onetwothree"));
    }

    #[test]
    fn a_peer_that_never_reads_is_not_waited_for_with_ever_more() {
        let (mut transport, _peer) = pair();
        let part = vec![0; 1 << 18];
        let mut sent = 0;
        let error = loop {
            match transport.send(&part) {
                Ok(()) => sent += part.len(),
                Err(error) => break error,
            }
            assert!(sent < 100 << 20);
        };
        assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
        assert!(transport.unsent.len() <= MOST_UNSENT + part.len());
    }

    #[test]
    fn a_port_that_nobody_has_says_so() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let why = Transport::connect(address, false).and_then(|transport| {
            thread::sleep(Duration::from_millis(50));
            transport.connected()
        });
        assert_eq!(why.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
