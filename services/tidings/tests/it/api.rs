//! The API, call by call: what it takes, what it answers, what it refuses.
