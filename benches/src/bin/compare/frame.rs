//! WebSocket frames (RFC 6455), as far as a client of ours meets them.

use bytes::{Buf, Bytes, BytesMut};

pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const LAST: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame of a server; none is split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Bytes,
}

/// Takes the first frame off the bytes, once it is there as a whole.
pub(crate) fn take(bytes: &mut BytesMut) -> Option<Frame> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (head, length) = match short & !MASKED {
        126 => (4, u64::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
        short => (2, u64::from(short)),
    };
    let length = usize::try_from(length).ok()?;
    if bytes.len() < head + length {
        bytes.reserve(head + length - bytes.len());
        return None;
    }
    bytes.advance(head);
    Some(Frame {
        opcode: first & 0x0f,
        payload: bytes.split_to(length).freeze(),
    })
}

/// A frame as servers send it.
pub(crate) fn plain(opcode: u8, payload: &[u8]) -> Vec<u8> {
    framed(opcode, 0, &[], payload)
}

/// A frame as clients send it. Its mask is zero, which costs the server as much as any other.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    framed(opcode, MASKED, &[0; 4], payload)
}

fn framed(opcode: u8, masked: u8, mask: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![LAST | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => frame.push(masked | length),
        (_, Ok(length)) => {
            frame.push(masked | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(mask);
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_any_length_come_back_as_they_went() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            let mut bytes = BytesMut::from(&*plain(TEXT, &payload));
            bytes.extend_from_slice(&plain(PING, b""));
            let frame = take(&mut bytes).unwrap();
            assert_eq!((frame.opcode, frame.payload.len()), (TEXT, length));
            assert_eq!(take(&mut bytes).unwrap().opcode, PING);
            assert_eq!((take(&mut bytes), bytes.len()), (None, 0));
        }
    }

    #[test]
    fn a_frame_waits_for_its_last_byte() {
        let whole = plain(TEXT, &[b'x'; 300]);
        for cut in 0..whole.len() {
            let mut bytes = BytesMut::from(&whole[..cut]);
            assert_eq!(take(&mut bytes), None, "{cut}");
            bytes.extend_from_slice(&whole[cut..]);
            assert_eq!(take(&mut bytes).unwrap().payload.len(), 300);
        }
    }

    #[test]
    fn clients_mask() {
        assert_eq!(masked(TEXT, b"ab"), [0x81, 0x82, 0, 0, 0, 0, b'a', b'b']);
        assert_eq!(masked(PONG, &[b'x'; 200])[..8], [0x8a, 0xfe, 0, 200, 0, 0, 0, 0]);
    }
}
