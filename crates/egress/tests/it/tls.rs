use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidings_egress::{Client, ClientOptions, FailureClass, Request, Resolver};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use crate::server::{Server, answer_well, until_closed};
use crate::{AMPLE, SHORT, fail, policy, respond};

pub struct Identity {
    pub acceptor: TlsAcceptor,
    pub certificate: CertificateDer<'static>,
}

fn identity(names: &[&str], versions: &[&'static rustls::SupportedProtocolVersion]) -> Identity {
    speaking(names, versions, &[])
}

/// Who speaks these protocols over TLS.
pub fn speaking(
    names: &[&str],
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&str],
) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Identity {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        certificate,
    }
}

pub async fn secure_server(acceptor: TlsAcceptor) -> Server {
    Server::start(move |socket| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(socket) = acceptor.accept(socket).await {
                answer_well(socket).await;
            }
        }
    })
    .await
}

pub fn client(roots: Vec<CertificateDer<'static>>) -> Client {
    let resolver = Resolver::answering(|_| vec!["127.0.0.1".parse().unwrap()]);
    let options = ClientOptions {
        extra_roots: roots,
        ..ClientOptions::default()
    };
    Client::new(policy(&["127.0.0.1/32"]), resolver, options).unwrap()
}

pub fn url(host: &str, server: &Server) -> String {
    format!("https://{host}:{}/", server.address.port())
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let identity = identity(&["hooks.example.com"], rustls::ALL_VERSIONS);
    let server = secure_server(identity.acceptor).await;
    let request = Request::post(url("hooks.example.com", &server), "");
    let failure = client(vec![])
        .send(request, AMPLE)
        .await
        .result
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::Tls);
    assert!(failure.detail.contains("hooks.example.com"), "{failure}");
}

#[tokio::test]
async fn an_extra_root_is_trusted_with_both_versions_of_tls() {
    for version in rustls::ALL_VERSIONS {
        let identity = identity(&["hooks.example.com", "127.0.0.1", "localhost"], &[version]);
        let server = secure_server(identity.acceptor).await;
        let client = client(vec![identity.certificate]);
        for host in ["hooks.example.com", "127.0.0.1", "localhost"] {
            let response = respond(&client, &url(host, &server), AMPLE).await;
            assert_eq!(response.status, 200, "{host} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let identity = identity(&["hooks.example.com"], rustls::ALL_VERSIONS);
    let server = secure_server(identity.acceptor).await;
    let client = client(vec![identity.certificate]);
    let class = fail(&client, &url("other.example.com", &server), AMPLE).await;
    assert_eq!(class, FailureClass::Tls);
}

#[tokio::test]
async fn a_secure_connection_is_used_again() {
    let identity = identity(&["hooks.example.com"], rustls::ALL_VERSIONS);
    let server = secure_server(identity.acceptor).await;
    let client = client(vec![identity.certificate]);
    for _ in 0..3 {
        respond(&client, &url("hooks.example.com", &server), AMPLE).await;
    }
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_tls_is_a_tls_failure() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let server = Server::start(move |mut socket| async move {
            let _ = socket.write_all(answer.as_bytes()).await;
        })
        .await;
        let class = fail(&client(vec![]), &url("hooks.example.com", &server), AMPLE).await;
        assert_eq!(class, FailureClass::Tls, "{answer}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_a_timeout() {
    let server = Server::start(|mut socket| async move {
        until_closed(&mut socket).await;
    })
    .await;
    let class = fail(&client(vec![]), &url("hooks.example.com", &server), SHORT).await;
    assert_eq!(class, FailureClass::Timeout);
}

#[tokio::test]
async fn a_root_that_is_no_certificate_is_refused_at_the_start() {
    let options = ClientOptions {
        extra_roots: vec![CertificateDer::from(vec![1, 2, 3])],
        ..ClientOptions::default()
    };
    let made = Client::new(policy(&[]), Resolver::answering(|_| vec![]), options);
    assert!(matches!(
        made,
        Err(tidings_egress::Error::RootCertificate(_))
    ));
}
