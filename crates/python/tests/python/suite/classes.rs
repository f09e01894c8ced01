//! Classes, functions and the panic trap.

use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use python::{
    Arguments, Attached, Attribute, Call, Class, Construct, Error, Exception, Function, Getter,
    Handle, Members, Method, Next, Object, Result,
};

use super::{main, run, shown};

/// Counts down; counts its own drops.
struct Counter {
    left: AtomicI64,
    kept: Option<Handle>,
    drops: Option<Arc<AtomicI64>>,
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(drops) = &self.drops {
            drops.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Class for Counter {
    const NAME: &'static CStr = c"test.Counter";
    const DOC: &'static CStr = c"Counts down.";
    const SUBCLASSABLE: bool = true;

    fn members() -> Members<Self> {
        Members::new().constructor().iterator().call().method::<Add>().getter::<Left>()
    }
}

impl Construct for Counter {
    fn construct<'py>(_py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Self> {
        let [left, kept] = arguments.named("Counter", ["left", "kept"], 1)?;
        let left = left.map_or(Ok(0), |left| left.to_i64())?;
        Ok(Self { left: AtomicI64::new(left), kept: kept.map(|it| it.handle()), drops: None })
    }
}

impl Next for Counter {
    fn next<'py>(&self, object: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left > 0 { object.py().int(left).map(Some) } else { Ok(None) }
    }
}

impl Call for Counter {
    fn call<'py>(
        &self,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let (values, keywords) = arguments.into_parts();
        let names: Vec<_> = keywords.iter().map(|(name, _)| name.as_str()).collect();
        object.py().text(&format!("{} {}", values.len(), names.join(",")))
    }
}

struct Add;

impl Method for Add {
    type Class = Counter;
    const NAME: &'static CStr = c"add";
    const DOC: &'static CStr = c"Adds.";

    fn call<'py>(
        this: &Counter,
        object: &Object<'py>,
        arguments: Arguments<'py>,
    ) -> Result<'py, Object<'py>> {
        let [by] = arguments.positional("add", 1)?;
        let by = by.map_or(Ok(0), |by| by.to_i64())?;
        assert!(by != 13, "thirteen");
        this.left.fetch_add(by, Ordering::SeqCst);
        Ok(object.clone())
    }
}

struct Left;

impl Getter for Left {
    type Class = Counter;
    const NAME: &'static CStr = c"left";
    const DOC: &'static CStr = c"What is left.";

    fn get<'py>(this: &Counter, py: Attached<'py>) -> Result<'py, Object<'py>> {
        py.int(this.left.load(Ordering::SeqCst))
    }
}

/// Of the same size as another class, and not constructible.
struct Closed;

impl Class for Closed {
    const NAME: &'static CStr = c"test.Closed";
    const DOC: &'static CStr = c"";

    fn members() -> Members<Self> {
        Members::new().attribute()
    }
}

impl Attribute for Closed {
    fn attribute<'py>(&self, py: Attached<'py>, name: &Object<'py>) -> Result<'py, Object<'py>> {
        Err(Error::new(py, Exception::OsError, &format!("no {}", name.display())))
    }
}

struct Double;

impl Function for Double {
    const NAME: &'static CStr = c"double";
    const DOC: &'static CStr = c"double(number)";

    fn call<'py>(py: Attached<'py>, arguments: Arguments<'py>) -> Result<'py, Object<'py>> {
        let [number] = arguments.named("double", ["number"], 1)?;
        py.int(2 * number.map_or(Ok(0), |number| number.to_i64())?)
    }
}

/// Runs source that may use `Counter`, and answers with its `result`.
fn with_counter(source: &str) -> String {
    main(|py| {
        let class = py.class::<Counter>().unwrap();
        shown(&run(py, source, &[("Counter", class.object())]), "result")
    })
}

#[test]
fn a_class_is_a_class() {
    assert_eq!(with_counter("result = list(Counter(3))"), "[3, 2, 1]");
    assert_eq!(with_counter("result = Counter(left=3).add(2).left"), "5");
    assert_eq!(with_counter("result = Counter(1)(1, 2, a=3)"), "2 a");
    assert_eq!(with_counter("result = Counter.__module__ + Counter.add.__doc__"), "testAdds.");
}

#[test]
fn arguments_are_checked() {
    let raised =
        |call: &str| with_counter(&format!("try: {call}\nexcept TypeError as e: result = str(e)"));
    assert_eq!(raised("Counter()"), "Counter() is missing required argument 1 (0 given, 1 needed)");
    assert_eq!(raised("Counter(1, 2, 3)"), "Counter() takes at most 2 arguments (3 given)");
    assert_eq!(raised("Counter(1, left=1)"), "Counter() got multiple values for argument 'left'");
    assert_eq!(raised("Counter(1, x=1)"), "Counter() got an unexpected keyword argument 'x'");
    assert_eq!(raised("Counter(1).add(by=1)"), "add() takes no keyword arguments");
}

#[test]
fn deriving_works() {
    let source = "
class More(Counter):
    def __init__(self, left, extra):
        super().__init__(left, extra)
        self.extra = extra
more = More(2, 'x')
result = (list(more), more.extra, isinstance(more, Counter))";
    assert_eq!(with_counter(source), "([2, 1], 'x', True)");
}

#[test]
fn no_object_without_its_value() {
    let source = "
result = []
class Odd(Counter):
    def __new__(cls): return object.__new__(cls)
for make in (lambda: object.__new__(Counter), Odd,
             lambda: setattr(Counter(1), '__class__', Odd),
             lambda: setattr(Counter, 'add', 1),
             lambda: Counter.add(1)):
    try: make(); result.append('made')
    except TypeError: result.append('refused')";
    assert_eq!(with_counter(source), "['refused', 'refused', 'refused', 'refused', 'refused']");
    main(|py| {
        let class = py.class::<Closed>().unwrap();
        assert!(class.object().call(&[]).unwrap_err().is_instance_of(Exception::TypeError));
        let error = class.instance(Closed).unwrap().attr(c"read").unwrap_err();
        assert_eq!(error.to_string(), "OSError: no read");
        assert!(class.get(&py.none()).is_none());
        let other = py.class::<Closed>().unwrap();
        assert!(other.get(&class.instance(Closed).unwrap()).is_none());
    });
}

#[test]
fn panics_become_system_errors() {
    let source = "
try: Counter(1).add(13)
except SystemError as e: result = str(e)";
    assert_eq!(with_counter(source), "panic: thirteen");
}

#[test]
fn values_are_dropped_once_and_types_are_freed() {
    let drops = Arc::new(AtomicI64::new(0));
    main(|py| {
        let class = py.class::<Counter>().unwrap();
        for _ in 0..10 {
            let kept = Some(py.list().unwrap().handle());
            let left = AtomicI64::new(1);
            class.instance(Counter { left, kept, drops: Some(Arc::clone(&drops)) }).unwrap();
        }
        let object = class.instance(Counter {
            left: AtomicI64::new(1),
            kept: None,
            drops: Some(Arc::clone(&drops)),
        });
        assert!(class.get(&object.unwrap()).unwrap().kept.is_none());
        let weak = py.import(c"weakref").unwrap().call_method(c"ref", &[class.object()]).unwrap();
        drop(class);
        py.import(c"gc").unwrap().call_method(c"collect", &[]).unwrap();
        assert!(weak.call(&[]).unwrap().is_none(), "the type is still alive");
    });
    assert_eq!(drops.load(Ordering::SeqCst), 11);
}

#[test]
fn functions_are_functions() {
    main(|py| {
        let double = py.function::<Double>().unwrap();
        let globals = run(py, "result = double(number=4) + double(5)", &[("double", &double)]);
        assert_eq!(shown(&globals, "result"), "18");
        assert_eq!(double.attr(c"__name__").unwrap().display(), "double");
    });
}
