//! The memory of a process that holds secrets stays out of files and debuggers.

/// Forbids core dumps of this process, and debuggers of other users than root, until the process ends.
/// A systemd unit's `LimitCORE=0` forbids the dumps only of a process that systemd starts; this holds for each start.
pub fn forbid() -> std::io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rustix::process::{DumpableBehavior, dumpable_behavior};

    #[test]
    fn after_it_the_kernel_writes_no_core_file_of_this_process() {
        forbid().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
