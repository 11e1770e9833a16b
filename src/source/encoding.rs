//! Bytes of any declared encoding as a stream of valid UTF-8; nothing is guessed and nothing replaced.
//!
//! A byte-order mark decides; without one the text must be strict UTF-8, unless an encoding is declared.

use std::io::Read;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

const BLOCK: usize = 256 << 10;

/// Why no more text comes.
#[derive(Debug)]
pub enum TextError {
    /// The operating system refused to read on.
    Io(std::io::Error),
    /// Bytes at `offset` of the file are not text in `encoding`.
    Malformed {
        /// Offset in the file.
        offset: u64,
        /// Name of the encoding they were read as.
        encoding: &'static str,
        /// True if somebody declared the encoding or a mark in the file did.
        is_declared: bool,
    },
}

/// A decoder over a reader.
pub struct TextReader {
    source: Box<dyn Read + Send>,
    encoding: &'static Encoding,
    is_declared: bool,
    decoder: Option<Decoder>,
    /// Bytes read but not decoded: the start of a character that the next block completes.
    pending: Vec<u8>,
    /// Offset of `pending[0]` in the file.
    offset: u64,
    mark_bytes: u64,
    is_at_end: bool,
    failure: Option<TextError>,
}

impl TextReader {
    /// Looks at the first bytes of `source`; `declared` counts only if there is no mark.
    ///
    /// # Errors
    /// [`TextError::Io`] if they cannot be read.
    pub fn new(
        mut source: Box<dyn Read + Send>,
        declared: Option<&'static Encoding>,
    ) -> Result<Self, TextError> {
        let mut pending = Vec::new();
        source.by_ref().take(4).read_to_end(&mut pending).map_err(TextError::Io)?;
        let (encoding, mark, is_declared) = match Encoding::for_bom(&pending) {
            Some((encoding, length)) => (encoding, length, true),
            None => (declared.unwrap_or(UTF_8), 0, declared.is_some()),
        };
        pending.drain(..mark);
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        Ok(Self {
            source,
            encoding,
            is_declared,
            decoder,
            pending,
            offset: mark as u64,
            mark_bytes: mark as u64,
            is_at_end: false,
            failure: None,
        })
    }

    /// Name of the encoding the bytes are read as.
    pub fn encoding_name(&self) -> &'static str {
        self.encoding.name()
    }

    /// Bytes of the byte-order mark: the offset of the first character.
    pub fn mark_bytes(&self) -> u64 {
        self.mark_bytes
    }

    /// How many bytes of the file `text` took.
    pub fn bytes_of(&self, text: &[u8]) -> u64 {
        if self.encoding == UTF_8 {
            return text.len() as u64;
        }
        let text = String::from_utf8_lossy(text);
        if self.encoding == UTF_16LE || self.encoding == UTF_16BE {
            return 2 * text.encode_utf16().count() as u64;
        }
        self.encoding.encode(&text).0.len() as u64
    }

    /// Appends some text to `out`; false at the end.
    ///
    /// # Errors
    /// [`TextError`], after everything before the fault has been handed out.
    pub fn read(&mut self, out: &mut Vec<u8>) -> Result<bool, TextError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let before = out.len();
        while out.len() == before {
            if self.is_at_end {
                return Ok(false);
            }
            let length = self.pending.len();
            self.pending.resize(length + BLOCK, 0);
            let got = self.source.read(&mut self.pending[length..]);
            self.pending.truncate(length + *got.as_ref().unwrap_or(&0));
            self.is_at_end = got.map_err(TextError::Io)? == 0;
            if let Err(failure) = self.decode(out) {
                if out.len() == before {
                    return Err(failure);
                }
                self.failure = Some(failure);
            }
        }
        Ok(true)
    }

    fn decode(&mut self, out: &mut Vec<u8>) -> Result<(), TextError> {
        let taken = match &mut self.decoder {
            None => match std::str::from_utf8(&self.pending) {
                Ok(text) => {
                    out.extend_from_slice(text.as_bytes());
                    text.len()
                }
                Err(error) => {
                    let good = error.valid_up_to();
                    out.extend_from_slice(&self.pending[..good]);
                    if error.error_len().is_some() || self.is_at_end {
                        return Err(self.malformed(self.offset + good as u64));
                    }
                    good
                }
            },
            Some(decoder) => {
                // A legacy byte becomes at most three of UTF-8, and two UTF-16 bytes do too.
                let mut text = vec![0; self.pending.len() * 3 + 16];
                let (result, read, written) = decoder.decode_to_utf8_without_replacement(
                    &self.pending,
                    &mut text,
                    self.is_at_end,
                );
                out.extend_from_slice(&text[..written]);
                if let DecoderResult::Malformed(length, after) = result {
                    // The decoder may have taken the character's first bytes from an earlier block.
                    let seen = self.offset + read as u64;
                    return Err(self.malformed(seen.saturating_sub(u64::from(length + after))));
                }
                read
            }
        };
        self.offset += taken as u64;
        self.pending.drain(..taken);
        Ok(())
    }

    fn malformed(&self, offset: u64) -> TextError {
        TextError::Malformed {
            offset,
            encoding: self.encoding.name(),
            is_declared: self.is_declared,
        }
    }
}

/// The encoding called `label` in the WHATWG list.
pub fn by_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn decode(bytes: &[u8], declared: Option<&str>) -> Result<String, TextError> {
        let declared = declared.map(|label| by_label(label).expect("known label"));
        let mut reader = TextReader::new(Box::new(Cursor::new(bytes.to_vec())), declared)?;
        let mut out = Vec::new();
        while reader.read(&mut out)? {}
        assert_eq!(reader.mark_bytes() + reader.bytes_of(&out), bytes.len() as u64);
        Ok(String::from_utf8(out).expect("valid"))
    }

    #[test]
    fn marks_decide_and_utf8_is_the_rest() {
        assert_eq!(decode("ñ€😀".as_bytes(), None).expect("utf-8"), "ñ€😀");
        assert_eq!(decode(b"\xEF\xBB\xBFa", Some("latin1")).expect("mark"), "a");
        let le: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("a😀".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(decode(&le, None).expect("utf-16le"), "a😀");
        let be: Vec<u8> = [0xFE, 0xFF]
            .into_iter()
            .chain("ñb".encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        assert_eq!(decode(&be, None).expect("utf-16be"), "ñb");
        assert_eq!(decode(b"caf\xE9", Some("windows-1252")).expect("declared"), "café");
        assert_eq!(decode(b"", None).expect("empty"), "");
    }

    #[test]
    fn what_is_not_text_is_an_error_at_its_byte() {
        for (bytes, declared, at) in [
            (&b"abc\xE9def"[..], None, 3),
            (b"abc\xE2\x82", None, 3),
            (b"\xFF\xFEa\0b", None, 4),
            (b"ab\x81", Some("shift_jis"), 2),
        ] {
            match decode(bytes, declared) {
                Err(TextError::Malformed { offset, .. }) => assert_eq!(offset, at, "{bytes:?}"),
                other => panic!("{bytes:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn a_character_across_two_blocks_is_whole() {
        let text = format!("{}€", "a".repeat(BLOCK + 3));
        assert_eq!(decode(text.as_bytes(), None).expect("utf-8"), text);
    }
}
