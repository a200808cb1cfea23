//! The pages of the guide: what they tell to do is done, and what they promise comes true.

mod conflicts;
mod getting_started;
mod links;
mod migrating;
mod operation;
