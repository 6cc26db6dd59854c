//! Segments against plain models of what they hold, and against damage.

mod damage;
mod filter;
mod states;
mod trie;
mod vocabulary;
