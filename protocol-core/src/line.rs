//! Text, one line a datagram.

use alloc::{borrow::ToOwned, string::String};
use core::str;

use bytes::BytesMut;
use thiserror::Error;

use crate::{Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError};

/// What ends a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Newline {
    /// `\n`.
    #[default]
    Lf,
    /// `\r`.
    Cr,
    /// `\r\n`.
    CrLf,
}

impl Newline {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Cr => b"\r",
            Self::CrLf => b"\r\n",
        }
    }
}

/// Lines of text, as EasyNetwork's `StringLineSerializer` writes and reads them.
///
/// What is sent goes out as it is; no newline is added, since the datagram ends the line. From what
/// is received, newlines at the end are removed, as many as there are, unless
/// [`keep_end`](Self::keep_end) is on. Newlines of other kinds, and those inside, stay.
///
/// The text is UTF-8, or [ASCII](Self::ascii) only. (EasyNetwork's default is ASCII.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    newline: Newline,
    keep_end: bool,
    ascii: bool,
}

impl Line {
    /// Lines of UTF-8 that end with `\n`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            newline: Newline::Lf,
            keep_end: false,
            ascii: false,
        }
    }

    /// Sets what ends a line.
    #[must_use]
    pub const fn newline(mut self, newline: Newline) -> Self {
        self.newline = newline;
        self
    }

    /// Sets whether newlines at the end of a received line stay.
    #[must_use]
    pub const fn keep_end(mut self, keep_end: bool) -> Self {
        self.keep_end = keep_end;
        self
    }

    /// Sets whether only ASCII is sent and accepted.
    #[must_use]
    pub const fn ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    fn check_charset(self, text: &[u8]) -> Result<(), NotAsciiError> {
        match text.iter().position(|byte| !byte.is_ascii()) {
            Some(offset) if self.ascii => Err(NotAsciiError {
                byte: text[offset],
                offset,
            }),
            _ => Ok(()),
        }
    }
}

impl DatagramProtocol for Line {
    type Sent = str;
    type Received = String;

    fn make_datagram(&self, packet: &str, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        self.check_charset(packet.as_bytes())
            .map_err(SerializeError::new)?;
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<String, PacketError> {
        let mut line = datagram.as_slice();
        if !self.keep_end {
            while let Some(shorter) = line.strip_suffix(self.newline.as_bytes()) {
                line = shorter;
            }
        }
        self.check_charset(line).map_err(DeserializeError::new)?;
        let line =
            str::from_utf8(line).map_err(|error| DeserializeError::new(NotUtf8Error(error)))?;
        Ok(line.to_owned())
    }
}

#[derive(Debug, Error)]
#[error("line: byte {byte:#04x} at offset {offset} is not ASCII")]
struct NotAsciiError {
    byte: u8,
    offset: usize,
}

#[derive(Debug, Error)]
#[error("line: not UTF-8 from offset {} on", .0.valid_up_to())]
struct NotUtf8Error(#[source] str::Utf8Error);

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use core::error::Error;

    use super::*;

    #[track_caller]
    fn parse(line: Line, datagram: &[u8]) -> String {
        line.build_packet_from_datagram(datagram.into()).unwrap()
    }

    #[test]
    fn every_newline_at_the_end_is_removed() {
        assert_eq!(parse(Line::new(), b"a\nb\n\n"), "a\nb");
        assert_eq!(parse(Line::new(), b"a\r\n"), "a\r");
        let crlf = Line::new().newline(Newline::CrLf);
        assert_eq!(parse(crlf, b"a\n\r\n\r\n"), "a\n");
        assert_eq!(parse(crlf, b"a\n"), "a\n");
        assert_eq!(parse(Line::new().newline(Newline::Cr), b"\r\r"), "");
    }

    #[test]
    fn keep_end_keeps_newlines() {
        assert_eq!(parse(Line::new().keep_end(true), b"a\n\n"), "a\n\n");
    }

    #[test]
    fn wrong_charset_names_the_offset() {
        let utf8 = Line::new().build_packet_from_datagram(b"ab\xff"[..].into());
        let ascii = Line::new()
            .ascii(true)
            .build_packet_from_datagram("ab\u{e9}".as_bytes().into());

        for error in [utf8.unwrap_err(), ascii.unwrap_err()] {
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains("offset 2"), "{cause}");
        }
    }

    #[test]
    fn ascii_refuses_other_text_when_sending() {
        let mut datagram = BytesMut::new();

        Line::new()
            .ascii(true)
            .make_datagram("\u{e9}", &mut datagram)
            .unwrap_err();

        assert!(datagram.is_empty());
    }
}
