//! Which providers there are.

use crate::africastalking::AfricasTalking;
use crate::airtel::Airtel;
use crate::infobip::Infobip;
use crate::jasmin::Jasmin;
use crate::kannel::Kannel;
use crate::mtn::Mtn;
use crate::orange::Orange;
use crate::provider::Provider;
use crate::stub::Stub;
use crate::twilio::Twilio;
use crate::vonage::Vonage;
use crate::zamtel::Zamtel;

static ALL: [&dyn Provider; 11] = [
    &AfricasTalking,
    &Orange,
    &Mtn,
    &Airtel,
    &Zamtel,
    &Kannel,
    &Jasmin,
    &Twilio,
    &Infobip,
    &Vonage,
    &Stub,
];

/// Every provider.
pub fn all() -> &'static [&'static dyn Provider] {
    &ALL
}

/// The provider of this name.
pub fn find(name: &str) -> Option<&'static dyn Provider> {
    ALL.into_iter().find(|provider| provider.name() == name)
}
