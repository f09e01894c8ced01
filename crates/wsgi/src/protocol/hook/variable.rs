//! The value of a variable of mod_ssl's, which a hook may ask for while it runs.

use crate::protocol::codec::{CodecError, Reader, Writer, flag};

/// Appends the payload of a [`crate::protocol::frame::FrameType::Variable`] frame; `None` is a
/// variable without a value.
pub fn encode_variable(value: Option<&[u8]>, buffer: &mut Vec<u8>) {
    Writer::new(buffer).u8(u8::from(value.is_some())).bytes(value.unwrap_or_default());
}

/// Reads the payload of a [`crate::protocol::frame::FrameType::Variable`] frame.
pub fn decode_variable(payload: &[u8]) -> Result<Option<&[u8]>, CodecError> {
    let mut reader = Reader::new(payload);
    let (given, value) = (flag(&mut reader, "variable")?, reader.bytes()?);
    reader.end()?;
    if !given && !value.is_empty() {
        return Err(CodecError::Value("variable"));
    }
    Ok(given.then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn variables_round_trip() {
        for value in [None, Some(b"".as_slice()), Some(b"TLSv1.3")] {
            let mut buffer = Vec::new();
            encode_variable(value, &mut buffer);
            assert_eq!(decode_variable(&buffer), Ok(value));
        }
    }

    proptest! {
        #[test]
        fn no_payload_panics(payload: Vec<u8>) {
            let _ = decode_variable(&payload);
        }
    }
}
