//! `version`.

use super::{Failure, output};
use crate::build;

/// Prints which build this is.
pub(super) fn run() -> Result<(), Failure> {
    output::print(&format!("Version:    {}\nCommit:     {}\nBuild time: {}\n", build::VERSION, build::COMMIT, build::TIME))
}
