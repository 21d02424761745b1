use std::net::UdpSocket;
use tidings_testkit::NameServer;

/// Asks for a name's addresses of this type (1 for IPv4, 28 for IPv6): the code of the answer, how many
/// records it has, and its bytes.
fn ask(names: &NameServer, name: &str, kind: u8) -> (u8, u8, Vec<u8>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(crate::AMPLE)).unwrap();
    let mut question = vec![7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).unwrap());
        question.extend(label.bytes());
    }
    question.extend([0, 0, kind, 0, 1]);
    socket.send_to(&question, names.address()).unwrap();
    let mut answer = vec![0; 1_500];
    let length = socket.recv(&mut answer).unwrap();
    answer.truncate(length);
    assert_eq!(answer[..2], [7, 7]);
    (answer[3] & 15, answer[7], answer)
}

#[test]
fn a_name_stands_for_what_was_told_last_directly_or_by_aliases() {
    let names = NameServer::start();
    assert_eq!(ask(&names, "a.example", 1).0, 3, "there is no such name");
    names.tell("a.example", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    names.alias("b.example", "a.example");
    let (code, records, answer) = ask(&names, "A.Example", 1);
    assert_eq!((code, records), (0, 2));
    assert!(answer.ends_with(&[0, 0, 0, 0, 0, 4, 192, 0, 2, 2]));
    assert_eq!(ask(&names, "a.example", 28).1, 1);
    assert_eq!(
        ask(&names, "b.example", 1).1,
        3,
        "the alias and what it is for"
    );
    names.tell("a.example", &["192.0.2.3"]);
    assert!(ask(&names, "a.example", 1).2.ends_with(&[192, 0, 2, 3]));
    assert_eq!((names.asked("a.example"), names.asked("b.example")), (3, 1));
}
