//! The text for the user when a server is set up.

use crate::site::{Application, Site};

/// `label : value` lines.
pub(crate) fn text(site: &Site) -> String {
    let options = &site.options;
    let log = if options.log_to_terminal {
        "this terminal".to_owned()
    } else {
        site.log_directory.join("error_log").display().to_string()
    };
    let mut lines = vec![
        ("Server URL", site.url()),
        ("Server root", site.server_root.display().to_string()),
        ("Config file", site.config_file().display().to_string()),
        ("Error log", format!("{log} (level {})", options.log_level.name())),
    ];
    if options.access_log && !options.log_to_terminal {
        lines.push(("Access log", site.log_directory.join("access_log").display().to_string()));
    }
    if site.application == Application::Static {
        lines.push(("Mode", "files only".to_owned()));
    } else {
        let processes = options.processes.unwrap_or(1);
        let mode = if options.embedded_mode { "embedded" } else { "daemon" };
        lines.push((
            "Mode",
            format!("{mode}, processes {processes}, threads {} each", options.threads),
        ));
        lines.push(("Python", site.python_home.display().to_string()));
    }
    lines
        .iter()
        .map(|(label, value)| format!("{label:<12}: {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::tests::Place;

    #[test]
    fn the_url_and_the_log_are_told() {
        let place = Place::new();
        let text = text(&place.resolve(&["app.py", "--port", "8123"]).unwrap());
        assert!(text.contains("Server URL  : http://localhost:8123/\n"), "{text}");
        assert!(text.contains("/dormouse-localhost:8123:4321/error_log (level warn)"), "{text}");
    }
}
