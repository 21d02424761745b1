//! Secrets at rest.

use tidings_signing::Error;
use tidings_signing::vault::Vault;

const KEY: [u8; 32] = [7; 32];
const NONCE: [u8; 12] = [9; 12];

#[test]
fn what_was_sealed_opens_again() {
    let vault = Vault::new(KEY);
    for length in [0, 1, 15, 16, 17, 100, 10_000] {
        let secret = vec![0x5a; length];
        let sealed = vault.seal("account:1", &secret, NONCE);
        assert_eq!(sealed.len(), 1 + 4 + 12 + length + 16);
        assert_eq!(*vault.open("account:1", &sealed).unwrap(), secret);
        assert_eq!(*Vault::new(KEY).open("account:1", &sealed).unwrap(), secret);
    }
}

#[test]
fn the_format_is_the_one_of_the_first_release() {
    // Made with Python's cryptography: key 0..32, nonce 100..112.
    let key: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let nonce: [u8; 12] = std::array::from_fn(|index| u8::try_from(100 + index).unwrap());
    let sealed = Vault::new(key).seal("account:acc_1", b"attack at dawn", nonce);
    let expected = "01a0ada30f6465666768696a6b6c6d6e6f296faa071a8276ff4a423b89ad0b798a3ce88d47\
                    8c2d400f4fdf3796c8d6";
    assert_eq!(hex::encode(sealed), expected);
}

#[test]
fn a_secret_opens_only_where_it_was_sealed() {
    let vault = Vault::new(KEY);
    let sealed = vault.seal("account:1", b"secret", NONCE);
    for context in ["account:2", "account:", "account:11", "", "\u{1}account:1"] {
        assert_eq!(
            vault.open(context, &sealed).unwrap_err(),
            Error::Tampered,
            "{context}"
        );
    }
}

#[test]
fn no_byte_of_a_sealed_secret_can_be_changed() {
    let vault = Vault::new(KEY);
    let sealed = vault.seal("account:1", b"secret", NONCE);
    for index in 0..sealed.len() {
        for bit in 0..8 {
            let mut altered = sealed.clone();
            altered[index] ^= 1 << bit;
            let expected = match index {
                0 => Error::SealedVersion {
                    version: altered[0],
                },
                1..=4 => Error::OtherKey,
                _ => Error::Tampered,
            };
            assert_eq!(
                vault.open("account:1", &altered).unwrap_err(),
                expected,
                "{index} {bit}"
            );
        }
    }
}

#[test]
fn a_sealed_secret_that_was_cut_off_is_refused() {
    let vault = Vault::new(KEY);
    let sealed = vault.seal("account:1", b"secret", NONCE);
    for length in 0..sealed.len() {
        let expected = match length {
            0..33 => Error::SealedTooShort { bytes: length },
            _ => Error::Tampered,
        };
        assert_eq!(
            vault.open("account:1", &sealed[..length]).unwrap_err(),
            expected,
            "{length}"
        );
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    assert_eq!(
        vault.open("account:1", &longer).unwrap_err(),
        Error::Tampered
    );
}

#[test]
fn another_key_is_told_apart_from_tampering() {
    let sealed = Vault::new(KEY).seal("account:1", b"secret", NONCE);
    let refused = Vault::new([8; 32]).open("account:1", &sealed).unwrap_err();
    assert_eq!(refused, Error::OtherKey);
    assert!(
        refused
            .to_string()
            .starts_with("the store was sealed with another encryption key")
    );
}

#[test]
fn while_the_key_is_changed_both_keys_open_and_only_the_new_one_seals() {
    let (old, new) = (Vault::new(KEY), Vault::new([8; 32]));
    let both = Vault::with_previous([8; 32], KEY).unwrap();
    let sealed = old.seal("account:1", b"secret", NONCE);
    assert_eq!(*both.open("account:1", &sealed).unwrap(), b"secret");
    assert_eq!(
        both.open("account:2", &sealed).unwrap_err(),
        Error::Tampered
    );
    let again = both.seal("account:1", b"secret", NONCE);
    assert_eq!(*both.open("account:1", &again).unwrap(), b"secret");
    assert_eq!(*new.open("account:1", &again).unwrap(), b"secret");
    assert_eq!(old.open("account:1", &again).unwrap_err(), Error::OtherKey);
    // A process that has them the other way round reads what this one writes, and it reads theirs.
    let turned = Vault::with_previous(KEY, [8; 32]).unwrap();
    assert_eq!(*turned.open("account:1", &again).unwrap(), b"secret");
    assert!(both.has_previous() && !new.has_previous());
    let third = Vault::new([9; 32]).seal("account:1", b"secret", NONCE);
    assert_eq!(both.open("account:1", &third).unwrap_err(), Error::OtherKey);
}

#[test]
fn what_is_under_the_current_key_is_told_without_opening_it() {
    let both = Vault::with_previous([8; 32], KEY).unwrap();
    let old = Vault::new(KEY).seal("account:1", b"secret", NONCE);
    let new = both.seal("account:1", b"secret", NONCE);
    assert!(both.is_current(&new));
    for other in [&old[..], &new[..4], &[], &[2; 60]] {
        assert!(!both.is_current(other), "{other:?}");
    }
}

#[test]
fn a_key_is_not_its_own_previous_one() {
    let refused = Vault::with_previous(KEY, KEY).unwrap_err();
    assert_eq!(refused, Error::KeysAlike);
}

#[test]
fn a_key_is_32_bytes_of_base64() {
    let key: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    let text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    assert_eq!(Vault::parse_key(text), Ok(key));
    for (text, expected) in [
        ("", Error::KeyLength { bytes: 0 }),
        ("AAECAwQFBgcICQoLDA0ODw==", Error::KeyLength { bytes: 16 }),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
            Error::KeyLength { bytes: 33 },
        ),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            Error::KeyBase64,
        ),
        (
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            Error::KeyBase64,
        ),
        (
            "000102030405060708090a0b0c0d0e0f-not-base64!",
            Error::KeyBase64,
        ),
    ] {
        assert_eq!(Vault::parse_key(text), Err(expected), "{text}");
    }
}

#[test]
fn debug_shows_the_name_of_the_key_and_not_the_key() {
    let key: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    assert_eq!(
        format!("{:?}", Vault::new(key)),
        "Vault { key_id: \"a0ada30f\", .. }"
    );
}
