//! Sample callbacks: real formats with made-up numbers and ids, for demonstrations and first tries.

/// Africa's Talking: its network has taken the message. A form.
pub const AFRICASTALKING_SENT: &str = include_str!("../fixtures/africastalking/dlr_sent.txt");

/// Africa's Talking: the same message reached the phone. A form.
pub const AFRICASTALKING_SUCCESS: &str = include_str!("../fixtures/africastalking/dlr_success.txt");

/// Africa's Talking: another message failed, since the number does not exist. A form.
pub const AFRICASTALKING_FAILED_USER_DOES_NOT_EXIST: &str =
    include_str!("../fixtures/africastalking/dlr_failed_userdoesnotexist.txt");

/// Orange: the network has taken the message. JSON.
pub const ORANGE_DELIVERED_TO_NETWORK: &str =
    include_str!("../fixtures/orange/dlr_deliveredtonetwork.json");

/// Orange: the same message reached the phone. JSON.
pub const ORANGE_DELIVERED_TO_TERMINAL: &str =
    include_str!("../fixtures/orange/dlr_deliveredtoterminal.json");

/// MTN (v3): the message is on its way. JSON.
pub const MTN_ENROUTE: &str = include_str!("../fixtures/mtn/v3_dlr_enroute.json");

/// MTN (v3): the same message reached the phone. JSON.
pub const MTN_DELIVERED: &str = include_str!("../fixtures/mtn/v3_dlr_delivered.json");

/// Twilio: the message reached the phone. A form.
pub const TWILIO_DELIVERED: &str = include_str!("../fixtures/twilio/status_delivered.txt");

/// Infobip: the message reached the phone, as a batch of one. JSON.
pub const INFOBIP_DELIVERED: &str = include_str!("../fixtures/infobip/dlr_v3_delivered.json");
