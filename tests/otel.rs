//! Recorded calls as OpenTelemetry traces.
