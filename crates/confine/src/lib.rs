//! What a process gives up before it faces attackers, on Linux: writing outside its own directories, TCP, privileges,
//! the owner's network.
//!
//! Everything here is for good: a process cannot take back what it gave up, and its children inherit it. All system
//! calls of the workspace that the standard library does not wrap stand in this crate, in `sys.rs`.

mod landlock;
mod network;
mod privileges;
mod process;
mod sys;

pub use landlock::{Applied, confine, landlock_abi};
pub use network::{enter_network_namespace, make_network_namespace, remove_network_namespace};
pub use privileges::{drop_bounding_set, drop_capabilities, no_new_privs};
pub use process::{give_back_memory, set_dumpable, set_parent_death_signal, set_process_name};
