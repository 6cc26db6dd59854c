//! `PyO3` bindings only: convert, release the GIL where the work is long, nothing more.

mod chains;
mod confinement;
mod histograms;
mod loads;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::chains::{Ask, Chain, ChainError, redact};
    #[pymodule_export]
    use crate::confinement::{
        Confinement, confine, drop_bounding_set, drop_capabilities, enter_network_namespace,
        give_back_memory, landlock_abi, make_network_namespace, no_new_privs,
        remove_network_namespace, set_dumpable, set_parent_death_signal, set_process_name,
    };
    #[pymodule_export]
    use crate::histograms::{Histograms, Totals};
    #[pymodule_export]
    use crate::loads::{LoadError, LoadRun, least_record_bytes};
}
