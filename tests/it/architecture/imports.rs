//! Who names whom: every path into the crate, read from the syntax trees, resolved to the file that
//! defines what is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use syn::visit::{self, Visit};

/// A place in the crate, `["config", "text", "Value"]`.
type Place = Vec<String>;

/// One file of `src`.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Where it stands: `["config", "text"]` for `config/text/mod.rs`; empty for `lib.rs`.
    pub(super) module: Place,
    /// What implements `Station` in it.
    pub(super) stations: Vec<String>,
    named: Vec<Named>,
    /// What its `pub use` hand on: the name here, and where that is defined.
    handed_on: BTreeMap<String, Place>,
}

/// A path into the crate that a file names.
struct Named {
    place: Place,
    line: usize,
    in_tests: bool,
}

/// That one file names what another defines.
pub(super) struct Import {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) line: usize,
    pub(super) in_tests: bool,
}

/// All files of `src` in order of their paths.
pub(super) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(all);
    &SOURCES
}

fn all() -> Vec<Source> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::from("src")]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let files = files.into_iter().map(|path| read(fs::read_to_string(&path).unwrap(), path));
    let mut files: Vec<Source> = files.collect();
    files.retain(|file| file.module != ["main"]);
    files
}

/// A file by its text.
pub(super) fn read(text: String, path: PathBuf) -> Source {
    let tree = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let module = module_of(&path);
    let is_tests = path.ends_with("tests.rs") || path.ends_with("fixture.rs");
    let mut reader = Reader {
        module: module.clone(),
        in_tests: is_tests,
        stations: Vec::new(),
        named: Vec::new(),
        handed_on: BTreeMap::new(),
    };
    reader.visit_file(&tree);
    let Reader { stations, named, handed_on, .. } = reader;
    Source { path, text, module, stations, named, handed_on }
}

fn module_of(path: &Path) -> Place {
    let inside = path.strip_prefix("src").unwrap().with_extension("");
    let mut module: Place =
        inside.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if matches!(module.last().unwrap().as_str(), "mod" | "lib") {
        module.pop();
    }
    module
}

/// Every import from one file of another, faces looked through: what `pub use` hands on counts as an
/// import of the file that defines it.
pub(super) fn imports(sources: &[Source]) -> Vec<Import> {
    let files: BTreeMap<&Place, usize> =
        sources.iter().enumerate().map(|(index, source)| (&source.module, index)).collect();
    let mut all = Vec::new();
    for (from, source) in sources.iter().enumerate() {
        for Named { place, line, in_tests } in &source.named {
            let Some(to) = defined_in(place, sources, &files, 8) else { continue };
            if to != from {
                all.push(Import { from, to, line: *line, in_tests: *in_tests });
            }
        }
    }
    all
}

/// The file that defines what is at a place; nothing where no file is on the way to it.
fn defined_in(
    place: &[String],
    sources: &[Source],
    files: &BTreeMap<&Place, usize>,
    hands: u8,
) -> Option<usize> {
    let deepest = (1..=place.len()).rev().find_map(|length| {
        let file = *files.get(&place[..length].to_vec())?;
        Some((length, file))
    });
    let (length, file) = deepest?;
    let handed_on = place.get(length).and_then(|name| sources[file].handed_on.get(name));
    match handed_on {
        Some(origin) if hands > 0 => {
            let further: Place = origin.iter().chain(&place[length + 1..]).cloned().collect();
            defined_in(&further, sources, files, hands - 1)
        }
        _ => Some(file),
    }
}

/// Walks through a file.
struct Reader {
    module: Place,
    in_tests: bool,
    stations: Vec<String>,
    named: Vec<Named>,
    handed_on: BTreeMap<String, Place>,
}

impl Reader {
    /// Where a path leads, from the module at hand; nothing where it leads out of the crate.
    fn place(&self, path: &[String]) -> Option<Place> {
        let mut place = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                place.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {}
            _ => return None,
        }
        while rest.first().is_some_and(|step| step == "super") {
            place.pop();
            rest = &rest[1..];
        }
        place.extend(rest.iter().cloned());
        Some(place)
    }

    fn leaf(&mut self, path: Vec<String>, name: Option<String>, item: &syn::ItemUse, line: usize) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        // `pub use child::Name;`
        let place = self.place(&path).or_else(|| {
            is_public.then(|| self.module.iter().chain(&path).cloned().collect::<Place>())
        });
        let Some(mut place) = place else { return };
        if place.last().is_some_and(|last| last == "self") {
            place.pop();
        }
        match is_public {
            true => {
                if let Some(name) = name.or_else(|| place.last().cloned()) {
                    self.handed_on.insert(name, place);
                }
            }
            false => self.named.push(Named { place, line, in_tests: self.in_tests }),
        }
    }

    fn tree(&mut self, above: &[String], tree: &syn::UseTree, item: &syn::ItemUse) {
        let with = |name: &syn::Ident| [above, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, item),
            syn::UseTree::Name(name) => {
                self.leaf(with(&name.ident), None, item, name.ident.span().start().line);
            }
            syn::UseTree::Rename(name) => {
                let line = name.ident.span().start().line;
                self.leaf(with(&name.ident), Some(name.rename.to_string()), item, line);
            }
            syn::UseTree::Glob(glob) => {
                self.leaf(above.to_vec(), None, item, glob.star_token.spans[0].start().line);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.tree(above, tree, item));
            }
        }
    }
}

impl<'s> Visit<'s> for Reader {
    fn visit_item_use(&mut self, item: &'s syn::ItemUse) {
        self.tree(&[], &item.tree, item);
    }

    fn visit_item_impl(&mut self, item: &'s syn::ItemImpl) {
        let last = |path: &syn::Path| path.segments.last().unwrap().ident.to_string();
        if let (Some((_, of, _)), syn::Type::Path(whose)) = (&item.trait_, &*item.self_ty)
            && last(of) == "Station"
            && !self.in_tests
        {
            self.stations.push(last(&whose.path));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_mod(&mut self, item: &'s syn::ItemMod) {
        let was = self.in_tests;
        self.in_tests |= item.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
        });
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
        self.in_tests = was;
    }

    fn visit_path(&mut self, path: &'s syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|one| one.ident.to_string()).collect();
        if let Some(place) = self.place(&words) {
            let line = path.segments[0].ident.span().start().line;
            self.named.push(Named { place, line, in_tests: self.in_tests });
        }
        visit::visit_path(self, path);
    }
}
