//! What a process gives up before it faces attackers.
