//! The worker's side: a loop of questions and answers in a process that may not use much.

use std::io::{Read, Write};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use super::{Answer, evaluate};

/// How much memory a worker may take beyond what it starts with, in bytes.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;

/// How much processor time a question may take, in seconds. The asking side waits less; this ends workers whose server
/// is gone.
const MAX_SECONDS: u64 = 10;

/// The longest question, in bytes.
const MAX_QUESTION_LENGTH: usize = 64 * 1024 * 1024;

#[derive(Deserialize)]
struct Question {
    snippet: String,
    variables: Vec<(String, Value)>,
    ctx: Option<Value>,
}

/// What the hidden command `jsonnet` does: answers questions from standard input on standard output until the input ends.
#[must_use]
pub fn worker_main() -> ExitCode {
    match serve(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

pub(super) fn serve(mut input: impl Read, mut output: impl Write) -> std::io::Result<()> {
    limit_memory()?;
    loop {
        let mut length = [0; 4];
        if input.read(&mut length[..1])? == 0 {
            return Ok(());
        }
        input.read_exact(&mut length[1..])?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_QUESTION_LENGTH {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        let mut question = vec![0; length];
        input.read_exact(&mut question)?;
        limit_time()?;
        let answer = answer(&question)?;
        let length = u32::try_from(answer.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
        output.write_all(&length.to_be_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}

fn answer(question: &[u8]) -> std::io::Result<Vec<u8>> {
    let outcome = match serde_json::from_slice::<Question>(question) {
        Ok(question) => evaluate::evaluate(&question.snippet, &question.variables, question.ctx.as_ref()),
        Err(_) => Err("the input is nested too deeply".to_owned()),
    };
    match outcome {
        // The text is JSON already; only the asking side looks inside.
        Ok(json) => Ok(format!(r#"{{"value":{json}}}"#).into_bytes()),
        Err(reason) => Ok(serde_json::to_vec(&Answer::Error(reason))?),
    }
}

#[cfg(unix)]
fn limit_memory() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = |limit| Rlimit { current: Some(limit), maximum: Some(limit) };
    setrlimit(Resource::Core, limit(0))?;
    // The binary and its allocator have mapped some already. Systems without /proc get a bound that is wider than needed.
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|s| s.split(' ').next()?.parse::<u64>().ok());
    let mapped = pages.map_or(1 << 30, |p| p.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096)));
    setrlimit(Resource::As, limit(mapped.saturating_add(MAX_MEMORY)))?;
    Ok(())
}

#[cfg(unix)]
fn limit_time() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use rustix::time::{ClockId, clock_gettime};
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
    let maximum = getrlimit(Resource::Cpu).maximum;
    let wanted = used.saturating_add(MAX_SECONDS);
    setrlimit(Resource::Cpu, Rlimit { current: Some(maximum.map_or(wanted, |m| m.min(wanted))), maximum })?;
    Ok(())
}

#[cfg(not(unix))]
fn limit_memory() -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn limit_time() -> std::io::Result<()> {
    Ok(())
}
