//! What a proven name is held against.

/// The rules of a listener's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What the proven name has to be.
    pub bind: Bind,
    /// Whose topics a session may use.
    pub devices: Devices,
    /// What becomes of the device's credentials.
    pub forwarding: Forwarding,
}

/// What the proven name has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bind {
    /// The device's name in its dialect, as its client identifier says it.
    Device,
    /// What the device's dialect reads in its certificate, the device's name among it.
    Certificate,
    /// The client identifier, all of it.
    ClientIdentifier,
    /// Anything: who is known may be every device.
    Nothing,
}

/// Whose topics a session may use, where its device is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Devices {
    /// Its own device's.
    Own,
    /// Also those of other devices, as a gateway does.
    Any,
}

/// What becomes of user name and password once the device is let in. Only where both sides are `plain`: a translation
/// gives the upstream its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// They stay here; the upstream gets a CONNECT without them.
    Withheld,
    /// The upstream gets them, too.
    Forwarded,
    /// They aren't this listener's: it asks for a certificate. What becomes of them is what becomes of them without access.
    NotAsked,
}
