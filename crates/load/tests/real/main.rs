//! Whole runs over real sockets: with TLS, over HTTP/2, against servers written here and against those of others.

mod asked;
mod papers;
mod peer;
mod programs;
mod secret_peer;
mod secure;
mod secure_bodies;
mod self_signed;
mod two;
mod two_peer;
mod two_silent;
mod two_slow;
mod two_streams;
