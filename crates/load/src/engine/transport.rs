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

/// Bytes that wait for a peer that does not read; a request that is longer waits as a whole.
const MOST_UNSENT: usize = 1 << 22;

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
    unsent: Vec<u8>,
    /// Where the rest of `unsent` begins.
    done: usize,
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
            unsent: Vec::new(),
            done: 0,
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
        tls.set_buffer_limit(Some(MOST_UNSENT));
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

    /// Sends bytes, now or as soon as the peer takes them.
    ///
    /// # Errors
    /// The connection is gone.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
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
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes)?;
        } else {
            self.unsent.extend_from_slice(bytes);
        }
        self.flush()
    }

    /// Sends on what waited.
    ///
    /// # Errors
    /// As `send`.
    pub fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                match tls.write_tls(&mut &self.socket) {
                    Ok(_) => {}
                    Err(error) if would_block(&error) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            return Ok(());
        }
        while self.done < self.unsent.len() {
            match self.socket.send(&self.unsent[self.done..]) {
                Ok(sent) => self.done += sent,
                Err(error) if would_block(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.unsent = Vec::new();
        self.done = 0;
        Ok(())
    }

    /// Reads once, and hands on what came.
    ///
    /// # Errors
    /// The connection is gone, or its TLS is broken: then what came before was handed on.
    #[inline]
    pub fn receive(
        &mut self,
        buffers: &mut Buffers,
        mut hand_on: impl FnMut(&[u8]),
    ) -> io::Result<Came> {
        let came = match (&self.socket).read(&mut buffers.raw) {
            Ok(came) => came,
            Err(error) if would_block(&error) => return Ok(Came::All),
            Err(error) => return Err(error),
        };
        if self.tls.is_some() {
            self.decrypt(came, buffers, &mut hand_on)?;
        } else if came > 0 {
            hand_on(&buffers.raw[..came]);
        }
        // A stream socket that gives less than was asked for has no more.
        Ok(match came {
            0 => Came::End,
            BUFFER => Came::Some,
            _ => Came::All,
        })
    }

    fn decrypt(
        &mut self,
        came: usize,
        buffers: &mut Buffers,
        hand_on: &mut impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let mut raw = &buffers.raw[..came];
        loop {
            if !raw.is_empty() {
                tls.read_tls(&mut raw)?;
            }
            let processed = tls.process_new_packets();
            loop {
                match tls.reader().read(&mut buffers.plain) {
                    Ok(0) => return Ok(()), // an orderly end of TLS
                    Ok(length) => hand_on(&buffers.plain[..length]),
                    Err(error) if would_block(&error) => break,
                    Err(error) => return Err(error),
                }
            }
            if let Err(error) = processed {
                let _ = self.flush(); // the alert that tells the peer why
                return Err(io::Error::other(error));
            }
            if raw.is_empty() {
                return self.flush();
            }
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
