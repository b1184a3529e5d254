//! `Datagram`: what a protocol sees of a received datagram, and what it may keep.

use bytes::Bytes;
use datagram_protocol_core::Datagram;

#[test]
fn datagram_dereferences_to_its_bytes() {
    let bytes = Bytes::from_static(b"abc");

    let datagram = Datagram::from(&bytes);

    assert_eq!(&*datagram, b"abc");
    assert_eq!(datagram.as_ref(), b"abc");
    assert_eq!(datagram.as_slice(), b"abc");
    assert_eq!(datagram.first(), Some(&b'a'));
}

#[test]
fn as_slice_outlives_the_value() {
    let bytes = Bytes::from_static(b"abc");

    let slice = Datagram::from(&bytes).as_slice();

    assert_eq!(slice, b"abc");
}

#[test]
fn datagram_is_copied_by_assignment() {
    let bytes = Bytes::from_static(b"abc");

    let first = Datagram::from(&bytes);
    let second = first;

    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[test]
fn to_bytes_shares_what_came_in() {
    let bytes = Bytes::from(b"header|body".to_vec());

    let kept = Datagram::from(&bytes).to_bytes();

    assert_eq!(kept, bytes);
    assert_eq!(kept.as_ptr(), bytes.as_ptr());
}

#[test]
fn to_bytes_of_a_part_shares_what_came_in() {
    let bytes = Bytes::from(b"header|body|tail".to_vec());

    let body = Datagram::from(&bytes).slice(7..).slice(..=3);

    assert_eq!(&*body, b"body");
    assert_eq!(body.to_bytes().as_ptr(), bytes[7..].as_ptr());
    assert_eq!(body.to_bytes(), "body");
}

#[test]
fn to_bytes_outlives_what_came_in() {
    let bytes = Bytes::from(b"abc".to_vec());

    let kept = Datagram::from(&bytes).to_bytes();
    drop(bytes);

    assert_eq!(kept, "abc");
}

#[test]
fn to_bytes_of_a_borrowed_slice_is_a_copy() {
    let contents = *b"header|body";

    let kept = Datagram::from(&contents[..]).slice(7..).to_bytes();

    assert_eq!(kept, "body");
    assert!(!contents.as_ptr_range().contains(&kept.as_ptr()));
}

#[test]
fn empty_datagram_is_a_datagram() {
    let bytes = Bytes::new();

    let datagram = Datagram::from(&bytes);

    assert!(datagram.is_empty());
    assert!(datagram.to_bytes().is_empty());
    assert!(datagram.slice(..).is_empty());
    assert_eq!(format!("{datagram:?}"), "Datagram(b\"\")");
}

#[test]
#[should_panic(expected = "out of range")]
fn slice_beyond_the_end_panics() {
    let bytes = Bytes::from_static(b"abc");

    let _slice = Datagram::from(&bytes).slice(2..4);
}

#[test]
fn debug_shows_the_bytes_escaped() {
    let bytes = Bytes::from_static(b"a\n\xff");

    assert_eq!(
        format!("{:?}", Datagram::from(&bytes)),
        r#"Datagram(b"a\n\xff")"#
    );
}

#[test]
fn datagram_goes_between_threads() {
    const fn check<T: Send + Sync + Copy>() {}
    const { check::<Datagram<'_>>() }
}
