//! Where a device is registered.

use std::net::SocketAddr;

use store::entities::devices;
use terminals::{DeviceKind, Transport};

/// Its host name or IP address; empty when it has none.
pub(crate) fn host(device: &devices::Model) -> &str {
    device.address.as_deref().unwrap_or_default().trim()
}

/// Its port, or the usual one of its kind.
pub(crate) fn port(device: &devices::Model, kind: DeviceKind) -> u16 {
    let port = device.port.and_then(|port| u16::try_from(port).ok());
    let chosen = device.transport.as_deref().and_then(Transport::from_name);
    port.unwrap_or(kind.port_by(chosen))
}

/// Whether a device is registered with this very address. A host name is not looked up.
pub fn is_registered_at(device: &devices::Model, place: SocketAddr) -> bool {
    let kind = DeviceKind::from_name(&device.kind);
    host(device).parse() == Ok(place.ip())
        && kind.is_some_and(|kind| port(device, kind) == place.port())
}
