//! Candidates as files that analysers read.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use code_syntax::Language;
use serde::{Deserialize, Serialize};

use crate::{ScanError, io};

/// Generated code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Unique among the candidates of a student.
    pub id: String,
    /// Its language.
    pub language: Language,
    /// The code.
    pub code: String,
    /// Who wrote it.
    #[serde(default)]
    pub student: String,
}

/// Which file is whose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// In the order of the candidates.
    pub files: Vec<ManifestFile>,
}

/// A candidate's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name below the folder, such as `python/000001.py`.
    pub path: String,
    /// The candidate's id.
    pub id: String,
    /// Who wrote it.
    pub student: String,
    /// Its language.
    pub language: Language,
    /// Whether it parses without error: what does not may hide findings.
    pub parses: bool,
}

/// Writes every candidate to `FOLDER/LANGUAGE/NUMBER.EXTENSION` and `FOLDER/manifest.json`; names
/// come from numbers, never from ids, so that nothing leads out of the folder. PHP gets its opening
/// tag where it has none: without one it is text.
///
/// # Errors
/// [`ScanError::Candidates`] for an id that a student has twice, a folder that holds something else,
/// and a language without a grammar here; [`ScanError::Io`].
pub fn write(candidates: &[Candidate], folder: &Path) -> Result<Manifest, ScanError> {
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        if !folder.join(MANIFEST).exists() {
            return Err(ScanError::Candidates(format!(
                "{} holds other files: name a new or an empty folder",
                folder.display()
            )));
        }
        fs::remove_dir_all(folder).map_err(io("empty", folder))?;
    }
    let mut seen = BTreeMap::new();
    let mut manifest = Manifest::default();
    for (candidate, number) in candidates.iter().zip(1_u32..) {
        let Candidate { id, language, code, student } = candidate;
        if seen.insert((student, id), ()).is_some() {
            return Err(ScanError::Candidates(format!("{student:?} has two candidates {id:?}")));
        }
        let parses = code_syntax::snippet::parses(*language, code)
            .map_err(|error| ScanError::Candidates(format!("candidate {id:?}: {error}")))?;
        let extension = language.row().extensions.first().copied().unwrap_or("txt");
        let path = format!("{language}/{number:06}.{extension}");
        let place = folder.join(&path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(io("make", parent))?;
        }
        let open = match language {
            Language::Php if !code.contains("<?") => "<?php\n",
            _ => "",
        };
        fs::write(&place, format!("{open}{code}")).map_err(io("write", &place))?;
        manifest.files.push(ManifestFile {
            path,
            id: id.clone(),
            student: student.clone(),
            language: *language,
            parses: parses && !code.trim().is_empty(),
        });
    }
    let path = folder.join(MANIFEST);
    fs::create_dir_all(folder).map_err(io("make", folder))?;
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| ScanError::Candidates(error.to_string()))?;
    fs::write(&path, text).map_err(io("write", &path))?;
    Ok(manifest)
}

/// The manifest's name in the folder.
pub const MANIFEST: &str = "manifest.json";

impl Manifest {
    /// Reads the manifest of a folder that [`write()`] wrote.
    ///
    /// # Errors
    /// [`ScanError::Io`]; [`ScanError::Candidates`] where it is none.
    pub fn read(folder: &Path) -> Result<Manifest, ScanError> {
        let path: PathBuf = folder.join(MANIFEST);
        let text = fs::read(&path).map_err(io("read", &path))?;
        serde_json::from_slice(&text)
            .map_err(|error| ScanError::Candidates(format!("{}: {error}", path.display())))
    }

    /// Finds files by the end of the paths that analysers write, whatever they put in front.
    pub(crate) fn lookup(&self) -> impl Fn(&str) -> Option<usize> {
        let by_path: HashMap<String, usize> =
            self.files.iter().enumerate().map(|(at, file)| (file.path.clone(), at)).collect();
        move |path| {
            let path = path.replace('\\', "/");
            let mut parts = path.rsplit('/');
            let (name, folder) = (parts.next()?, parts.next()?);
            by_path.get(&format!("{folder}/{name}")).copied()
        }
    }
}
