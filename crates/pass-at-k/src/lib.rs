//! Runs generated code with its tests, and estimates pass@k.

#![deny(missing_docs)]
// The launcher of the sandbox alone holds unsafe code, and says why.
#![deny(unsafe_code)]

pub mod sandbox;
