use tidings_egress::Refusal::*;
use tidings_egress::{Client, ClientOptions, FailureClass, Refusal};

use crate::{AMPLE, fail, no_names, policy};

/// Everything a tenant tried elsewhere, and why it is refused here.
const REFUSED: &[(&str, Refusal)] = &[
    ("http://127.0.0.1/", Loopback),
    ("http://127.0.0.1:8080/", Loopback),
    ("http://127.8.8.8/", Loopback),
    ("http://127.1/", Loopback),
    ("http://127.0.1/", Loopback),
    ("http://2130706433/", Loopback),
    ("http://0x7f000001/", Loopback),
    ("http://0x7F.0.0.1/", Loopback),
    ("http://0177.0.0.1/", Loopback),
    ("http://017700000001/", Loopback),
    ("http://0x7f.1/", Loopback),
    ("http://0x7f.0x0.0x0.0x1/", Loopback),
    ("http://00000177.0.0.01/", Loopback),
    ("http://127.0.0.1./", Loopback),
    ("http://%31%32%37.0.0.1/", Loopback),
    ("http://127。0。0。1/", Loopback),
    ("http://１２７.０.０.１/", Loopback),
    ("http://①②⑦.⓪.⓪.①/", Loopback),
    ("http://localhost/", Loopback),
    ("http://LOCALHOST/", Loopback),
    ("http://localhost./", Loopback),
    ("http://localhost%2e/", Loopback),
    ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", Loopback),
    ("https://admin.localhost:8443/", Loopback),
    ("http://a.b.LocalHost./", Loopback),
    ("http://[::1]/", Loopback),
    ("http://[0:0:0:0:0:0:0:1]/", Loopback),
    ("http://[0000::0001]:8080/", Loopback),
    ("http://[::ffff:127.0.0.1]/", Loopback),
    ("http://[::ffff:7f00:1]/", Loopback),
    ("http://[0:0:0:0:0:ffff:7f00:0001]/", Loopback),
    ("http://0.0.0.0/", Unspecified),
    ("http://0/", Unspecified),
    ("http://0x0/", Unspecified),
    ("http://0.1.2.3/", Unspecified),
    ("http://[::]/", Unspecified),
    ("http://[::ffff:0.0.0.0]/", Unspecified),
    ("http://10.0.0.1/", Private),
    ("http://10.255.255.255/", Private),
    ("http://167772161/", Private),
    ("http://012.0.0.1/", Private),
    ("http://172.16.0.1/", Private),
    ("http://172.31.255.255/", Private),
    ("http://192.168.0.1/", Private),
    ("http://0xc0a80001/", Private),
    ("http://192.168.257/", Private),
    ("http://[::ffff:192.168.0.1]/", Private),
    ("http://169.254.0.1/", LinkLocal),
    ("http://169.254.169.253/", LinkLocal),
    ("http://[fe80::1]/", LinkLocal),
    ("http://[febf::1]/", LinkLocal),
    ("http://169.254.169.254/latest/meta-data/", Metadata),
    ("http://2852039166/latest/meta-data/", Metadata),
    ("http://0xA9FEA9FE/", Metadata),
    ("http://0251.0376.0251.0376/", Metadata),
    ("http://[::ffff:a9fe:a9fe]/", Metadata),
    ("http://169.254.170.2/", Metadata),
    ("http://169.254.170.23/", Metadata),
    ("http://100.100.100.200/", Metadata),
    ("http://192.0.0.192/", Metadata),
    ("http://168.63.129.16/", Metadata),
    ("http://[fd00:ec2::254]/", Metadata),
    ("http://[fd20:ce::254]/", Metadata),
    ("http://[fe80::a9fe:a9fe]/", Metadata),
    ("http://100.64.0.1/", CarrierGradeNat),
    ("http://100.127.255.255/", CarrierGradeNat),
    ("http://224.0.0.1/", Multicast),
    ("http://239.255.255.250/", Multicast),
    ("http://[ff02::1]/", Multicast),
    ("http://255.255.255.255/", Broadcast),
    ("http://4294967295/", Broadcast),
    ("http://192.0.2.1/", Documentation),
    ("http://198.51.100.1/", Documentation),
    ("http://203.0.113.1/", Documentation),
    ("http://[2001:db8::1]/", Documentation),
    ("http://[3fff::1]/", Documentation),
    ("http://198.18.0.1/", Benchmarking),
    ("http://198.19.255.255/", Benchmarking),
    ("http://[2001:2::1]/", Benchmarking),
    ("http://192.0.0.1/", Reserved),
    ("http://192.88.99.1/", Reserved),
    ("http://240.0.0.1/", Reserved),
    ("http://255.255.255.254/", Reserved),
    ("http://[2001:10::1]/", Reserved),
    ("http://[2001:20::1]/", Reserved),
    ("http://[5f00::1]/", Reserved),
    ("http://[4000::1]/", Reserved),
    ("http://[fc00::1]/", UniqueLocal),
    ("http://[fd12:3456::1]/", UniqueLocal),
    ("http://[fec0::1]/", SiteLocal),
    ("http://[100::1]/", Discard),
    ("http://[100:0:0:1::1]/", Discard),
    ("http://[64:ff9b::7f00:1]/", Nat64),
    ("http://[64:ff9b::169.254.169.254]/", Nat64),
    ("http://[64:ff9b:1::7f00:1]/", Nat64),
    ("http://[2002:7f00:1::1]/", SixToFour),
    ("http://[2002:a9fe:a9fe::]/", SixToFour),
    ("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", Teredo),
    ("http://[2a00:1450::5efe:7f00:1]/", Isatap),
    ("http://[2a00:1450::200:5efe:10.0.0.1]/", Isatap),
    ("http://[::7f00:1]/", Ipv4Compatible),
    ("http://[::127.0.0.1]/", Ipv4Compatible),
    ("http://[::ffff:0:7f00:1]/", Ipv4Translated),
    ("http://[::ffff:0:127.0.0.1]/", Ipv4Translated),
    ("ftp://example.com/", Scheme),
    ("file:///etc/passwd", Scheme),
    ("gopher://127.0.0.1:6379/_x", Scheme),
    ("javascript:alert(1)", Scheme),
    ("example.com:8080/", Scheme),
    ("ws://example.com/", Scheme),
    ("http://user@example.com/", UserInfo),
    ("http://user:password@example.com/", UserInfo),
    ("http://@example.com/", UserInfo),
    ("http://:@example.com/", UserInfo),
    ("http://example.com@127.0.0.1/", UserInfo),
    ("http://127.0.0.1#@example.com/", Loopback),
    ("http://127.0.0.1?@example.com/", Loopback),
    ("http://", MissingHost),
    ("https:///path", MissingHost),
    ("http://?query", MissingHost),
    ("http://:80/", MissingHost),
    ("http:127.0.0.1", BadUrl),
    ("http:/127.0.0.1", BadUrl),
    ("http:\\\\127.0.0.1", BadUrl),
    ("http://example.com\\@127.0.0.1/", BadUrl),
    ("//example.com/", BadUrl),
    ("/path", BadUrl),
    ("", BadUrl),
    (" http://example.com/", BadUrl),
    ("http://example.com/ ", BadUrl),
    ("http://exam ple.com/", BadUrl),
    ("http://example.com/\r\nx: y", ControlCharacter),
    ("http://exa\tmple.com/", ControlCharacter),
    ("http://example.com/\0", ControlCharacter),
    ("http://example.com/\u{85}", ControlCharacter),
    ("http://1.2.3.4.5/", BadHost),
    ("http://256.256.256.256/", BadHost),
    ("http://4294967296/", BadHost),
    ("http://1.2.3.4../", BadHost),
    ("http://example.com../", BadHost),
    ("http://.example.com/", BadHost),
    ("http://a..example.com/", BadHost),
    ("http://./", BadHost),
    ("http://*.example.com/", BadHost),
    ("http://[::1/", BadHost),
    ("http://[::1%25eth0]/", BadHost),
    ("http://[example.com]/", BadHost),
    ("http://example.com%00.example.org/", BadHost),
    ("http://example.com:65536/", Port),
    ("http://example.com:-1/", Port),
    ("http://example.com:0/", Port),
    ("http://127.0.0.1:0/", Port),
];

#[test]
fn every_notation_of_a_forbidden_target_is_refused_with_its_reason() {
    let policy = policy(&[]);
    for (url, refusal) in REFUSED {
        assert_eq!(policy.judge_url(url).unwrap_err(), *refusal, "{url}");
    }
}

#[tokio::test]
async fn no_refused_url_is_ever_requested() {
    let client = Client::new(policy(&[]), no_names(), ClientOptions::default()).unwrap();
    for (url, _) in REFUSED {
        assert_eq!(
            fail(&client, url, AMPLE).await,
            FailureClass::TargetNotAllowed,
            "{url}"
        );
    }
}

#[test]
fn a_url_has_at_most_2048_bytes() {
    let fitting = format!("http://example.com/{}", "x".repeat(2048 - 19));
    assert_eq!(policy(&[]).judge_url(&fitting).unwrap().as_str(), fitting);
    assert_eq!(
        policy(&[]).judge_url(&(fitting + "x")).unwrap_err(),
        TooLong
    );
}

#[test]
fn a_name_fits_into_the_dns() {
    let label = "a".repeat(63);
    let fitting = format!("http://{label}.{label}.{label}.{}/", "b".repeat(61));
    assert!(policy(&[]).judge_url(&fitting).is_ok());
    for host in [
        format!("{label}a.example"),
        format!("{label}.{label}.{label}.{label}"),
    ] {
        assert_eq!(
            policy(&[])
                .judge_url(&format!("http://{host}/"))
                .unwrap_err(),
            BadHost,
            "{host}"
        );
    }
}

#[test]
fn ordinary_urls_are_accepted() {
    let urls = [
        "https://example.com",
        "http://example.com:8080/a/b;c?d=e&f=%20#fragment",
        "https://my_service.example.com/",
        "https://münchen.example/ü",
        "https://xn--mnchen-3ya.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:8443/",
        "https://127.0.0.1.example.com/",
        "https://localhost.example.com/",
        "https://example.com/@user?u=a@b",
    ];
    for url in urls {
        assert!(policy(&[]).judge_url(url).is_ok(), "{url}");
    }
}

#[test]
fn every_reason_has_a_name_and_a_sentence() {
    assert_eq!(Loopback.as_str(), "loopback");
    assert_eq!(Loopback.to_string(), "its address is a loopback address");
}
