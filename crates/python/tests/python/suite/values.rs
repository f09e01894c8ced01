//! Values, errors, source.

use std::num::NonZeroUsize;

use python::{BytesBuffer, Capsule, Error, Exception};

use super::{main, run, shown};

#[test]
fn values_round_trip() {
    main(|py| {
        assert_eq!(py.text("ä\0b").unwrap().utf8().unwrap(), "ä\0b");
        assert_eq!(py.latin1(b"\xff\xe4").unwrap().utf8().unwrap(), "ÿä");
        assert_eq!(py.latin1(b"\xff").unwrap().latin1().unwrap(), b"\xff");
        assert_eq!(py.bytes(b"a\0b").unwrap().as_bytes().unwrap(), b"a\0b");
        assert_eq!(py.int(-7).unwrap().to_i64().unwrap(), -7);
        assert_eq!(py.int(-1).unwrap().to_i64().unwrap(), -1);
        assert!((py.float(-1.5).unwrap().to_f64().unwrap() + 1.5).abs() < f64::EPSILON);
        assert!(py.bool(true).is_true().unwrap() && !py.bool(false).is_true().unwrap());
        assert!(py.none().is_none() && !py.bool(false).is_none());
        let tuple = py.tuple(&[&py.int(1).unwrap(), &py.none()]).unwrap();
        assert_eq!((tuple.length().unwrap(), tuple.display()), (2, "(1, None)".to_owned()));
    });
}

#[test]
fn a_buffer_becomes_bytes() {
    main(|py| {
        for first in [b"".as_slice(), b"a", b"abc"] {
            let mut buffer = BytesBuffer::new(py, first).unwrap();
            let mut expected = first.to_vec();
            for (room, filled) in [(3, 2), (0, 0), (100_000, 99_999), (1 << 20, 7)] {
                buffer = buffer.with_room(room).unwrap();
                let rest = buffer.rest(room);
                assert!(rest.len() == room && rest.iter().all(|byte| *byte == 0));
                rest[..filled].fill(b'x');
                buffer.fill(filled);
                expected.resize(expected.len() + filled, b'x');
                assert_eq!(buffer.length(), expected.len());
            }
            assert!(buffer.finish().unwrap().as_bytes().unwrap() == expected);
        }
        let unchanged = BytesBuffer::new(py, b"abc").unwrap().with_room(10).unwrap();
        assert_eq!(unchanged.finish().unwrap().as_bytes().unwrap(), b"abc");
        let empty = BytesBuffer::new(py, b"").unwrap().with_room(10).unwrap();
        assert_eq!(empty.finish().unwrap().as_bytes().unwrap(), b"");
        let too_much = BytesBuffer::new(py, b"abc").unwrap().with_room(usize::MAX);
        assert_eq!(too_much.unwrap_err().value().type_name(), "MemoryError");
    });
}

#[test]
fn a_capsule_gives_its_address_until_it_expires() {
    main(|py| {
        let capsule = Capsule::new(py, NonZeroUsize::new(4096).unwrap()).unwrap();
        let ctypes = py.import(c"ctypes").unwrap();
        let get = ctypes.attr(c"pythonapi").unwrap().attr(c"PyCapsule_GetPointer").unwrap();
        get.set_attr(c"restype", &ctypes.attr(c"c_void_p").unwrap()).unwrap();
        let types = [&ctypes.attr(c"py_object").unwrap(), &ctypes.attr(c"c_char_p").unwrap()];
        get.set_attr(c"argtypes", &py.tuple(&types).unwrap()).unwrap();
        let address = || get.call(&[capsule.object(), &py.none()]);
        assert_eq!(address().unwrap().to_i64().unwrap(), 4096);
        capsule.expire();
        assert!(address().unwrap_err().is_instance_of(Exception::ValueError));
    });
}

#[test]
fn undecodable_paths_come_back() {
    main(|py| {
        let path = py.fs_path(b"/srv/\xff").unwrap();
        let os = py.import(c"os").unwrap();
        let bytes = os.call_method(c"fsencode", &[&path]).unwrap();
        assert_eq!(bytes.as_bytes().unwrap(), b"/srv/\xff");
        assert_eq!(path.display(), "/srv/\\udcff");
        assert!(path.utf8().unwrap_err().is_instance_of(Exception::UnicodeError));
    });
}

#[test]
fn wrong_types_are_errors() {
    main(|py| {
        let text = py.text("x").unwrap();
        assert!(text.as_bytes().unwrap_err().is_instance_of(Exception::TypeError));
        assert!(text.to_i64().unwrap_err().is_instance_of(Exception::TypeError));
        assert!(py.none().utf8().unwrap_err().is_instance_of(Exception::TypeError));
        assert!(text.call(&[]).unwrap_err().is_instance_of(Exception::TypeError));
        assert!(text.append(&text).is_err());
        assert!(text.call_with(&[], Some(&text)).is_err());
        let big = run(py, "big = 1 << 70", &[]).item(&py.text("big").unwrap()).unwrap();
        assert!(big.to_i64().is_err());
        assert!(text.attr_opt(c"nothing").unwrap().is_none());
    });
}

#[test]
fn names_are_made_once() {
    main(|py| {
        let name = py.name(c"of_many_requests").unwrap();
        assert!(name.is(&py.name(c"of_many_requests").unwrap()));
        let dict = py.dict().unwrap();
        dict.set_named(c"of_many_requests", &py.int(1).unwrap()).unwrap();
        let other = py.dict().unwrap();
        other.set("b", &py.int(2).unwrap()).unwrap();
        dict.update(&other).unwrap();
        assert_eq!(dict.display(), "{'of_many_requests': 1, 'b': 2}");
        assert!(dict.update(&py.none()).is_err());
        let references = other.references();
        let again = other.clone();
        assert_eq!(again.references(), references + 1);
    });
}

#[test]
fn an_attribute_may_be_missing_or_raise() {
    main(|py| {
        let source = "\
            class Odd:\n    \
                here = 1\n    \
                @property\n    \
                def broken(self): raise ValueError('no')\n\
            odd = Odd()";
        let odd = run(py, source, &[]).item(&py.text("odd").unwrap()).unwrap();
        assert_eq!(odd.attr_opt(c"here").unwrap().unwrap().to_i64().unwrap(), 1);
        assert!(odd.attr_opt(c"nowhere").unwrap().is_none());
        let error = odd.attr_opt(c"broken").unwrap_err();
        assert!(error.is_instance_of(Exception::ValueError), "{error}");
        odd.set_attr(c"nowhere", &py.none()).unwrap();
        assert!(odd.attr_opt(c"nowhere").unwrap().unwrap().is_none());
    });
}

#[test]
fn containers() {
    main(|py| {
        let dict = py.dict().unwrap();
        let key = py.text("k").unwrap();
        assert!(dict.item_opt(&key).unwrap().is_none());
        dict.set("k", &py.int(3).unwrap()).unwrap();
        assert_eq!(dict.item(&key).unwrap().to_i64().unwrap(), 3);
        dict.remove(&key).unwrap();
        dict.remove(&key).unwrap();
        assert!(dict.remove(&py.list().unwrap()).is_err());
        let list = py.list().unwrap();
        for number in 0..3 {
            list.append(&py.int(number).unwrap()).unwrap();
        }
        let numbers: Vec<_> =
            list.iterate().unwrap().map(|item| item.unwrap().to_i64().unwrap()).collect();
        assert_eq!(numbers, [0, 1, 2]);
    });
}

#[test]
fn exceptions_carry_their_traceback() {
    main(|py| {
        let source = "def fail():\n    raise KeyError('lost')\n";
        let fail = run(py, source, &[]).item(&py.text("fail").unwrap()).unwrap();
        let error = fail.call(&[]).unwrap_err();
        assert!(error.is_instance_of(Exception::LookupError));
        assert!(!error.is_instance_of(Exception::TypeError));
        let lines = error.lines();
        assert_eq!(lines.first().unwrap(), "Traceback (most recent call last):");
        assert!(lines.iter().any(|line| line.contains("in fail")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "KeyError: 'lost'");
        let again = Error::raise(py, error.value());
        assert!(again.value().is(error.value()) && again.traceback().is_some());
        assert!(Error::raise(py, &py.none()).is_instance_of(Exception::SystemError));
    });
}

#[test]
fn source_is_compiled_as_python_would() {
    main(|py| {
        let code = py.compile(b"# coding: latin-1\nx = '\xe4'\n", b"/a/b.py").unwrap();
        let module = py.run_module("values_latin1", &code, b"/a/b.py").unwrap();
        assert_eq!(module.attr(c"x").unwrap().utf8().unwrap(), "ä");
        assert_eq!(module.attr(c"__file__").unwrap().utf8().unwrap(), "/a/b.py");
        let error = py.compile(b"x = 1\0", b"nul.py").unwrap_err();
        assert!(error.to_string().contains("NUL byte"), "{error}");
        let error = py.compile(b"x = (", b"bad.py").unwrap_err();
        assert!(error.lines().iter().any(|line| line.contains("bad.py")));
        let code = py.compile(b"raise ValueError", b"fails.py").unwrap();
        assert!(py.run_module("values_fails", &code, b"fails.py").is_err());
        assert!(py.loaded_module("values_fails").unwrap().is_none());
    });
}

#[test]
fn descriptors_are_duplicated() {
    main(|py| {
        let globals = run(py, "import os\nr, w = os.pipe()\nos.write(w, b'x')", &[]);
        let read = globals.item(&py.text("r").unwrap()).unwrap();
        let copy = read.file_descriptor().unwrap();
        run(
            py,
            "import os\nos.close(r); os.close(w)",
            &[("r", &read), ("w", &globals.item(&py.text("w").unwrap()).unwrap())],
        );
        let mut byte = [0];
        std::io::Read::read_exact(&mut std::fs::File::from(copy), &mut byte).unwrap();
        assert_eq!(byte, *b"x");
        assert!(py.int(999_999).unwrap().file_descriptor().is_err());
        assert!(py.none().file_descriptor().is_err());
    });
}

#[test]
fn names_of_modules_are_shown() {
    main(|py| {
        let globals = run(py, "import sys\nname = sys.__name__", &[]);
        assert_eq!(shown(&globals, "name"), "sys");
    });
}
