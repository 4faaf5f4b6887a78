//! Buffers of the parent, and what has to be true of them wherever they are used from.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, thread};

use remote_object::{CallError, Callback, Exports, Remote, RemoteBuffer, RemoteObject, RemoteValue, Value, interface};
use remote_parent::Parent;
use serde::{Deserialize, Serialize};

use crate::gate;
use crate::samples::Nest;

/// Has pictures, each of so many bytes of [`noise`].
#[interface]
pub trait Gallery: Send + Sync {
    /// The same one for the same number of bytes, for as long as the gallery is there.
    fn picture(&self, bytes: u64) -> Result<RemoteBuffer, CallError>;
    /// Whether it is the very picture.
    fn is_original(&self, picture: RemoteBuffer) -> Result<bool, CallError>;
    fn originals(&self, pictures: Vec<Option<RemoteBuffer>>) -> Result<Vec<Option<bool>>, CallError>;
    fn echo(&self, picture: RemoteBuffer) -> Result<RemoteBuffer, CallError>;
    /// So many zeros, of their own each time.
    fn canvas(&self, bytes: u64) -> Result<RemoteBuffer, CallError>;
    /// So many pictures of a few bytes.
    fn sketches(&self, count: u64, bytes: u64) -> Result<Vec<RemoteBuffer>, CallError>;
    fn write(&self, path: PathBuf, picture: RemoteBuffer) -> Result<(), CallError>;
    fn show(&self, bytes: u64, viewer: Callback<RemoteBuffer>) -> Result<(), CallError>;
    /// Gives a picture, but waits at a gate first.
    fn picture_at(&self, gate: &str, bytes: u64) -> Result<RemoteBuffer, CallError>;
    fn fail(&self, bytes: u64) -> Result<(), PictureError>;
    /// Has no result, for the picture comes with something that cannot be sent.
    fn unsendable(&self, bytes: u64) -> Result<(RemoteBuffer, Nest), CallError>;
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum PictureError {
    #[error("it is broken: {0:?}")]
    Broken(RemoteBuffer),
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Exports a gallery as `gallery`.
pub fn served(parent: &Parent) -> Exports {
    let exports = Exports::new();
    export(&exports);
    exports.serve(parent).expect("nothing else is served");
    exports
}

/// Exports a gallery as `gallery`, beside other things.
pub fn export(exports: &Exports) {
    let walls = Walls { pictures: Mutex::default(), exports: exports.clone() };
    exports.module::<dyn Gallery>("gallery", Arc::new(walls)).expect("nothing else is called so");
}

/// Bytes that are not easily mistaken for others, the same each time.
pub fn noise(bytes: u64) -> Vec<u8> {
    let mut state = bytes ^ 0x9e37_79b9_7f4a_7c15;
    let length = usize::try_from(bytes).expect("it fits");
    let mut noise = Vec::with_capacity(length + 8);
    while noise.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    noise.truncate(length);
    noise
}

struct Walls {
    pictures: Mutex<HashMap<u64, RemoteBuffer>>,
    exports: Exports,
}

impl Gallery for Walls {
    fn picture(&self, bytes: u64) -> Result<RemoteBuffer, CallError> {
        let mut pictures = self.pictures.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(pictures.entry(bytes).or_insert_with(|| noise(bytes).into()).clone())
    }

    fn is_original(&self, picture: RemoteBuffer) -> Result<bool, CallError> {
        let original = self.picture(picture.len() as u64)?;
        let place = |buffer: &RemoteBuffer| buffer.as_local().expect("it is in the parent").as_ptr();
        Ok(picture == original && place(&picture) == place(&original))
    }

    fn originals(&self, pictures: Vec<Option<RemoteBuffer>>) -> Result<Vec<Option<bool>>, CallError> {
        pictures.into_iter().map(|picture| picture.map(|picture| self.is_original(picture)).transpose()).collect()
    }

    fn echo(&self, picture: RemoteBuffer) -> Result<RemoteBuffer, CallError> {
        Ok(picture)
    }

    fn canvas(&self, bytes: u64) -> Result<RemoteBuffer, CallError> {
        Ok(self.exports.buffer(usize::try_from(bytes).expect("it fits")).finish())
    }

    fn sketches(&self, count: u64, bytes: u64) -> Result<Vec<RemoteBuffer>, CallError> {
        Ok((0..count).map(|_| noise(bytes).into()).collect())
    }

    fn write(&self, path: PathBuf, picture: RemoteBuffer) -> Result<(), CallError> {
        let bytes = picture.as_local().expect("it is in the parent");
        fs::write(path, bytes).map_err(|error| CallError::from_error(&error))
    }

    fn show(&self, bytes: u64, viewer: Callback<RemoteBuffer>) -> Result<(), CallError> {
        viewer.call(self.picture(bytes)?).map_err(|error| CallError::from_error(&error))
    }

    fn picture_at(&self, gate: &str, bytes: u64) -> Result<RemoteBuffer, CallError> {
        gate::wait_at(gate);
        self.picture(bytes)
    }

    fn fail(&self, bytes: u64) -> Result<(), PictureError> {
        Err(PictureError::Broken(self.picture(bytes)?))
    }

    fn unsendable(&self, bytes: u64) -> Result<(RemoteBuffer, Nest), CallError> {
        Ok((self.picture(bytes)?, Nest::deep(1000)))
    }
}

/// What a body is given: the gallery by its interface and by name.
pub type Body = fn(&Remote<dyn Gallery>, &RemoteObject) -> Result<(), CallError>;

/// All of them, by name.
pub const BODIES: &[(&str, Body)] = &[
    ("a_buffer_is_read_byte_for_byte", a_buffer_is_read_byte_for_byte),
    ("a_buffer_is_viewed_in_place", a_buffer_is_viewed_in_place),
    ("a_buffer_passed_back_arrives_as_the_original", a_buffer_passed_back_arrives_as_the_original),
    ("what_a_buffer_does_not_have_is_an_error", what_a_buffer_does_not_have_is_an_error),
    ("a_buffer_is_read_from_many_threads_at_once", a_buffer_is_read_from_many_threads_at_once),
    ("a_buffer_in_an_error_is_a_buffer", a_buffer_in_an_error_is_a_buffer),
    ("a_buffer_travels_by_name", a_buffer_travels_by_name),
    ("a_buffer_is_nothing_else", a_buffer_is_nothing_else),
];

/// Lengths around all that makes a difference: none, a copy that travels along, memory that is shared, one piece, several.
const LENGTHS: [u64; 10] =
    [0, 1, 4 << 10, (4 << 10) + 1, (64 << 10) - 1, 64 << 10, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_001];

fn a_buffer_is_read_byte_for_byte(gallery: &Remote<dyn Gallery>, _: &RemoteObject) -> Result<(), CallError> {
    for length in LENGTHS {
        let (picture, bytes) = (gallery.picture(length)?, noise(length));
        assert_eq!((picture.len() as u64, picture.is_empty()), (length, length == 0));
        assert!(picture.to_vec()? == bytes);
        let (end, middle) = (bytes.len(), bytes.len() / 2);
        assert!(picture.read(middle..)? == bytes[middle..]);
        assert!(picture.read(..middle)? == bytes[..middle]);
        assert_eq!(picture.read(end..)?, []);
        let mut target = vec![0; end - middle];
        picture.read_into(middle, &mut target)?;
        assert!(target == bytes[middle..]);
        if end > 0 {
            assert!(picture.read(middle..=end - 1)? == bytes[middle..]);
        }
    }
    // More references with few bytes than may bring them along.
    for sketch in gallery.sketches(40, 4000)? {
        assert!(sketch.to_vec()? == noise(4000));
    }
    Ok(())
}

fn a_buffer_is_viewed_in_place(gallery: &Remote<dyn Gallery>, _: &RemoteObject) -> Result<(), CallError> {
    for length in LENGTHS {
        let (picture, bytes) = (gallery.picture(length)?, noise(length));
        let before = picture.view()?;
        assert!(*before == bytes && before.as_ref() == picture.view()?.as_ref());
        assert!(picture.read(..)? == bytes);
        // A view keeps the buffer that it is of, and is the same from every thread.
        drop(picture);
        let again = gallery.picture(length)?.view()?;
        thread::scope(|scope| {
            scope.spawn(|| assert!(*again == *before));
        });
        drop(before);
        assert!(*again == bytes);
    }
    // Some bytes at a time, until it is better to have all of them.
    let (picture, bytes) = (gallery.picture(1_000_003)?, noise(1_000_003));
    for (index, piece) in bytes.chunks(99_991).enumerate() {
        let start = index * 99_991;
        assert!(picture.read(start..start + piece.len())? == piece);
    }
    // One is there when the other is asked for, and they are not mistaken for each other.
    let canvas = gallery.canvas(1_000_003)?.view()?;
    assert!(*picture.view()? == bytes && canvas.iter().all(|byte| *byte == 0));
    Ok(())
}

fn a_buffer_passed_back_arrives_as_the_original(
    gallery: &Remote<dyn Gallery>,
    _: &RemoteObject,
) -> Result<(), CallError> {
    for length in LENGTHS {
        let picture = gallery.picture(length)?;
        assert_eq!(gallery.picture(length)?, picture);
        assert_ne!(gallery.canvas(length)?, picture);
        assert!(gallery.is_original(picture.clone())?);
        let canvas = gallery.canvas(length)?;
        let passed = vec![Some(picture.clone()), None, Some(canvas), Some(picture)];
        assert_eq!(gallery.originals(passed)?, [Some(true), None, Some(false), Some(true)]);
    }
    Ok(())
}

fn what_a_buffer_does_not_have_is_an_error(gallery: &Remote<dyn Gallery>, _: &RemoteObject) -> Result<(), CallError> {
    for length in LENGTHS {
        let picture = gallery.picture(length)?;
        let end = picture.len();
        let error = picture.read(end..end + 1).expect_err("there is none");
        let start = length;
        assert_eq!(error, CallError::Range { start, end: length + 1, length });
        assert!(error.to_string().contains(&format!("{length}..{}", length + 1)), "{error}");
        for error in [
            picture.read(end + 1..).expect_err("it begins too late"),
            picture.read(..=usize::MAX).expect_err("it ends too late"),
            picture.read((std::ops::Bound::Excluded(usize::MAX), std::ops::Bound::Unbounded)).expect_err("both"),
            picture.read_into(end, &mut [0]).expect_err("it ends too late"),
            picture.read_into(usize::MAX, &mut [0; 2]).expect_err("there is no such number"),
        ] {
            assert!(matches!(error, CallError::Range { .. }), "{error:?}");
        }
        if end > 0 {
            #[expect(clippy::reversed_empty_ranges, reason = "it is what is wrong")]
            let error = picture.read(1..0).expect_err("it ends before it begins");
            assert_eq!(error, CallError::Range { start: 1, end: 0, length });
        }
        assert!(gallery.is_original(picture)?);
    }
    Ok(())
}

fn a_buffer_is_read_from_many_threads_at_once(
    gallery: &Remote<dyn Gallery>,
    _: &RemoteObject,
) -> Result<(), CallError> {
    let (picture, bytes) = (gallery.picture(3 << 20)?, noise(3 << 20));
    thread::scope(|scope| {
        for number in 0..8 {
            let (own, bytes) = (picture.clone(), &bytes);
            scope.spawn(move || {
                let start = number * 100_000;
                let end = bytes.len() - start;
                assert!(own.read(start..end).expect("it has them") == bytes[start..end]);
            });
        }
    });
    Ok(())
}

fn a_buffer_in_an_error_is_a_buffer(gallery: &Remote<dyn Gallery>, _: &RemoteObject) -> Result<(), CallError> {
    for length in [100, 100_000] {
        let Err(PictureError::Broken(picture)) = gallery.fail(length) else { panic!("it is broken") };
        assert!(picture.to_vec()? == noise(length));
        assert!(gallery.is_original(picture)?);
    }
    Ok(())
}

fn a_buffer_travels_by_name(typed: &Remote<dyn Gallery>, gallery: &RemoteObject) -> Result<(), CallError> {
    for length in [100, 100_000] {
        let picture: RemoteBuffer = gallery.call("picture", (length,))?;
        assert!(picture.to_vec()? == noise(length));
        assert_eq!(typed.picture(length)?, picture);
        assert!(gallery.call::<bool>("is_original", (&picture,))?);
        assert!(typed.is_original(picture)?);
        let value: RemoteValue = gallery.call("picture", (length,))?;
        assert!(matches!(value.value(), Value::Buffer(_)), "{value:?}");
        assert!(gallery.call::<bool>("is_original", (&value,))?);
        assert!(value.to::<RemoteBuffer>().expect("it is one").to_vec()? == noise(length));
        // Nobody looks at it.
        assert!(matches!(gallery.call("picture", (length,))?, Value::Buffer(_)));
        let error = gallery.call::<()>("fail", (length,)).expect_err("it is broken");
        assert!(error.to_string().contains("it is broken"), "{error}");
    }
    Ok(())
}

fn a_buffer_is_nothing_else(_: &Remote<dyn Gallery>, gallery: &RemoteObject) -> Result<(), CallError> {
    let error = gallery.call::<bool>("is_original", (gallery,)).expect_err("it is a gallery").to_string();
    assert!(error.contains("argument 1 (`picture`): expected a buffer, found another kind of reference"), "{error}");
    let error = gallery.call::<Remote<dyn Gallery>>("picture", (100,)).expect_err("it is a picture").to_string();
    assert!(error.contains("result of `picture`: expected a `Gallery`, found another kind"), "{error}");
    let error = gallery.call::<Vec<u8>>("picture", (100,)).expect_err("it is a handle").to_string();
    assert!(error.contains("result of `picture`") && error.contains("buffer"), "{error}");
    Ok(())
}
