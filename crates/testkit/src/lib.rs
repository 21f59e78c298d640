//! Scripted peers, simulated clocks and the transcript runner of Warren's tests.
