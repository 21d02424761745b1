//! A collector that keeps what it is sent.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// One request as it came.
pub struct Export {
    pub request_line: String,
    pub content_type: String,
    pub body: ExportTraceServiceRequest,
}

pub struct Collector {
    pub address: SocketAddr,
    pub exports: Receiver<Export>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, exports) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let sender = sender.clone();
                thread::spawn(move || serve(&stream.unwrap(), &sender));
            }
        });
        Self { address, exports }
    }
}

fn serve(mut stream: &TcpStream, sender: &Sender<Export>) {
    let mut reader = BufReader::new(stream);
    while let Some(export) = read_export(&mut reader) {
        let _ = sender.send(export);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
    }
}

fn read_export(reader: &mut impl BufRead) -> Option<Export> {
    let mut request_line = String::new();
    if reader.read_line(&mut request_line).ok()? == 0 {
        return None;
    }
    let (mut content_type, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-type" => value.clone_into(&mut content_type),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    Some(Export {
        request_line: request_line.trim().to_owned(),
        content_type,
        body,
    })
}
