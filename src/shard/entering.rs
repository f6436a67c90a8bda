//! Who a device is, where the listener wants to know: by its certificate, which has been shown before MQTT, or by its
//! credentials, whose check is asked for, waited for, and handed to the session.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::access::{Certificate, Denied};
use crate::session::{Admitted, Standing};
use crate::transport::DeviceCertificate;

use super::Doorkeeper;
use super::connection::Connection;
use super::state::ShardState;

/// Who has come, by the certificate of the connection, whose handshake went by this reading of the authorities.
pub(super) fn by_certificate(
    shown: Option<DeviceCertificate>,
    reading: u64,
    state: &ShardState,
) -> Result<Admitted, Denied> {
    let now = Instant::now();
    let unix_s = state.unix_ms(now) / 1000;
    let shown = shown.map(|shown| Certificate {
        common_name: shown.common_name,
        expires_unix_s: shown.expires_unix_s,
    });
    let subject = Certificate::prove(shown, unix_s)?;
    let left = subject.expires_unix_s.map(|at| Duration::from_secs(at.saturating_sub(unix_s)));
    // What ends beyond all clocks doesn't end.
    let until = left.and_then(|left| now.checked_add(left));
    Ok(Admitted { name: subject.name, until, witness: subject.witness, reading })
}

impl Connection {
    /// Where the file of users, keys or authorities was read again, looks whether the device is still let in.
    pub(super) fn review_access(&mut self, now: Instant) {
        let door = &self.about.door;
        let Some(admitted) = self.session.admitted() else { return };
        if admitted.reading == door.reading.get() {
            return;
        }
        let (reading, standing) = match &door.doorkeeper {
            Doorkeeper::Absent => return,
            Doorkeeper::Gate(gate) => gate.review(admitted),
            Doorkeeper::Certificate(_) => {
                let (reading, is_good) = door.reception.vouches_for(self.device.chain().as_ref());
                (reading, if is_good { Standing::Unchanged } else { Standing::Over })
            }
        };
        self.with_session(now, |session, wake| {
            session.on_access_reviewed(reading, standing, wake);
        });
    }

    /// Sees to the check that the session asks for. Whether a verdict came.
    pub(super) fn poll_checking(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if let Doorkeeper::Gate(gate) = &self.about.door.doorkeeper
            && let Some(credentials) = self.session.take_asked()
        {
            let gate = gate.clone();
            // A password takes memory to be checked, too.
            if self.is_refused_for_memory(now) {
                return true;
            }
            let deadline = self.session.deadline().unwrap_or(now);
            let checking = gate.ask(credentials, deadline);
            self.opening.get_or_insert_default().checking = Some(checking);
        }
        let Some(opening) = &mut self.opening else { return false };
        let Some(checking) = &mut opening.checking else { return false };
        let Poll::Ready(answer) = Pin::new(checking).poll(context) else { return false };
        opening.checking = None;
        // Without an answer the queue was full, or it was too late.
        let verdict = answer.unwrap_or(Err(Denied::Busy));
        self.with_session(now, |session, wake| session.on_access(verdict, wake));
        self.offer_waiting(now, context);
        true
    }
}
