//! Which files can be opened: Landlock, <https://docs.kernel.org/userspace-api/landlock.html>.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

/// The newest interface that the tests have seen. Of an older kernel, what it
/// has is used; what came later is not asked for.
const TESTED: ABI = ABI::V7;

/// Allows reading below `read`, making files below `scratch`, and removing that
/// directory in the end; nothing else, and no TCP. The version in force.
pub(super) fn restrict(read: &[PathBuf], scratch: Option<&Path>) -> Result<u32, String> {
    let mut allowed: Vec<Allowed<'_>> =
        read.iter().map(|path| (path.as_path(), AccessFs::ReadFile | AccessFs::ReadDir)).collect();
    if let Some(scratch) = scratch {
        allowed.push((scratch, making()));
        allowed.extend(scratch.parent().map(|around| (around, AccessFs::RemoveDir.into())));
    }
    version(enforce(&allowed))
}

/// Allows to open nothing.
pub(super) fn restrict_all() -> Result<u32, String> {
    version(enforce(&[]))
}

/// A place, and what is allowed at and below it.
type Allowed<'p> = (&'p Path, BitFlags<AccessFs>);

/// What temporary files need.
fn making() -> BitFlags<AccessFs> {
    AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
}

fn version(enforced: Result<landlock::RestrictionStatus, RulesetError>) -> Result<u32, String> {
    let status = enforced.map_err(|error| error.to_string())?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotEnabled) => Err("this kernel has it turned off".to_owned()),
        (RulesetStatus::NotEnforced, _) => Err("this kernel is older than 5.13, or lacks it".to_owned()),
        (_, LandlockStatus::Available { effective_abi, .. }) => {
            let version = effective_abi.min(TESTED) as i32;
            Ok(version.unsigned_abs())
        }
        (_, _) => Err("its version is not known".to_owned()),
    }
}

fn enforce(allowed: &[Allowed<'_>]) -> Result<landlock::RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(TESTED))?
        .handle_access(AccessNet::from_all(TESTED))?
        .scope(Scope::from_all(TESTED))?
        .create()?;
    for (path, access) in allowed {
        ruleset = allow(ruleset, path, *access)?;
    }
    ruleset.restrict_self()
}

/// Allows `access` to what `path` is now, and to all below. What can't be
/// opened, or is neither file nor directory, would not be scanned either.
fn allow(ruleset: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let access = match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => access,
        Ok(meta) if meta.is_file() => access & AccessFs::from_file(TESTED),
        _ => return Ok(ruleset),
    };
    match PathFd::new(path) {
        Ok(opened) => ruleset.add_rule(PathBeneath::new(opened, access)),
        Err(_) => Ok(ruleset),
    }
}
