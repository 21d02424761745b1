/// Why a URL or an address may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Not a URL as <https://url.spec.whatwg.org> has it, or written in a way that programs read
    /// differently.
    #[error("it is not a complete http or https URL")]
    BadUrl,
    /// Longer than 2048 bytes.
    #[error("it is longer than 2048 bytes")]
    TooLong,
    /// Holds a control character.
    #[error("it holds a control character")]
    ControlCharacter,
    /// Neither `http` nor `https`.
    #[error("its scheme is neither http nor https")]
    Scheme,
    /// Holds a user name, a password or an `@` before the host.
    #[error("it holds a user name or a password")]
    UserInfo,
    /// Has no host.
    #[error("it has no host")]
    MissingHost,
    /// The host is neither an address nor a name that the DNS could hold.
    #[error("its host is neither an address nor a valid name")]
    BadHost,
    /// The port is not one of `allow_ports`.
    #[error("its port is not allowed")]
    Port,
    /// `http` where `require_https` is set.
    #[error("https is required")]
    HttpsRequired,
    /// `0.0.0.0/8` or `::`.
    #[error("its address means no host or this host")]
    Unspecified,
    /// `127.0.0.0/8`, `::1` or a name under `localhost`.
    #[error("its address is a loopback address")]
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12` or `192.168.0.0/16` (RFC 1918).
    #[error("its address is a private address")]
    Private,
    /// `169.254.0.0/16` or `fe80::/10`.
    #[error("its address is a link-local address")]
    LinkLocal,
    /// A metadata service of a cloud, wherever it lives.
    #[error("its address is that of a metadata service")]
    Metadata,
    /// `100.64.0.0/10`, shared address space behind a carrier's NAT (RFC 6598).
    #[error("its address is shared address space (carrier-grade NAT)")]
    CarrierGradeNat,
    /// `224.0.0.0/4` or `ff00::/8`.
    #[error("its address is a multicast address")]
    Multicast,
    /// `255.255.255.255`.
    #[error("its address is the broadcast address")]
    Broadcast,
    /// An address meant for documentation.
    #[error("its address is meant for documentation")]
    Documentation,
    /// An address meant for benchmarks.
    #[error("its address is meant for benchmarks")]
    Benchmarking,
    /// An address that is set aside or not given out.
    #[error("its address is reserved")]
    Reserved,
    /// `fc00::/7` (RFC 4193).
    #[error("its address is a unique local address")]
    UniqueLocal,
    /// `fec0::/10`, given up by RFC 3879.
    #[error("its address is a site-local address")]
    SiteLocal,
    /// `100::/64` and its neighbour, where packets are thrown away (RFC 6666, RFC 9780).
    #[error("its address discards what it gets")]
    Discard,
    /// NAT64 (RFC 6052, RFC 8215), not listed or in front of a forbidden IPv4 address.
    #[error("its address is a NAT64 address")]
    Nat64,
    /// 6to4 (RFC 3056), not listed or in front of a forbidden IPv4 address.
    #[error("its address is a 6to4 address")]
    SixToFour,
    /// Teredo (RFC 4380), not listed or in front of a forbidden IPv4 address.
    #[error("its address is a Teredo address")]
    Teredo,
    /// ISATAP (RFC 5214) in front of a forbidden IPv4 address.
    #[error("its address is an ISATAP address")]
    Isatap,
    /// IPv4-compatible `::a.b.c.d`, given up by RFC 4291.
    #[error("its address is an IPv4-compatible address")]
    Ipv4Compatible,
    /// IPv4-translated `::ffff:0:a.b.c.d` (RFC 2765).
    #[error("its address is an IPv4-translated address")]
    Ipv4Translated,
}

impl Refusal {
    /// The stable name of the reason, such as `link_local`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadUrl => "bad_url",
            Self::TooLong => "too_long",
            Self::ControlCharacter => "control_character",
            Self::Scheme => "scheme",
            Self::UserInfo => "user_info",
            Self::MissingHost => "missing_host",
            Self::BadHost => "bad_host",
            Self::Port => "port",
            Self::HttpsRequired => "https_required",
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link_local",
            Self::Metadata => "metadata",
            Self::CarrierGradeNat => "carrier_grade_nat",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Reserved => "reserved",
            Self::UniqueLocal => "unique_local",
            Self::SiteLocal => "site_local",
            Self::Discard => "discard",
            Self::Nat64 => "nat64",
            Self::SixToFour => "six_to_four",
            Self::Teredo => "teredo",
            Self::Isatap => "isatap",
            Self::Ipv4Compatible => "ipv4_compatible",
            Self::Ipv4Translated => "ipv4_translated",
        }
    }
}
