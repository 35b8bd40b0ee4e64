//! tracegen, stage by stage. Data goes one way, top to bottom: a stage imports only what stands above it
//! (`tests/house.rs` holds the table).

// the plans in `tests/support` name this crate from outside and from its own tests
#[cfg(test)]
extern crate self as tracegen;
#[cfg(test)]
#[allow(dead_code)]
#[path = "../tests/support/plans.rs"]
mod plans;

// The wall clock.
pub mod clock;

// Files that tracegen writes: whole or not at all, and by one process at a time.
pub mod disk;

// Figures and words as people read them, in the terminal and on the pages.
pub mod text;

// Durations, counted.
pub mod histogram;

// Files to located YAML nodes, templates and the scenario model; diagnostics.
pub mod language;

// The flat, numbered, verified program that everything after the compiler works on.
pub mod plan;

// Scenario model to plan: names become slots, mistakes become diagnostics.
pub mod compiler;

// The one value that flows at run time: a whole trace, cleared and used again.
pub mod trace;

// Plan, seed and schedule to traces, deterministically.
pub mod interpreter;

// Traces to OTLP, and OTLP out of the process.
pub mod export;

// What a plan's traces will be, before one is sent.
pub mod explain;

// Who is served, and who makes room.
pub mod seats;

// OTLP as others write it, read where it stands.
pub mod otlp;

// OTLP into the process, and the faults of a bad receiver.
pub mod receive;

// Traces at rest, in memory or ClickHouse, and the questions the pages ask of them.
pub mod store;

// What makes a run again: manifest, eras, archive.
pub mod journal;

// Start, stop, pace: drives the interpreter and feeds the exporters and the store.
pub mod engine;

// What tracegen tells of itself, as metrics.
pub mod telemetry;

// What arrived, held against what was sent.
pub mod verify;

// The UI and the JSON API, on plain hyper.
pub mod web;

// One file a subcommand.
pub mod cli;
