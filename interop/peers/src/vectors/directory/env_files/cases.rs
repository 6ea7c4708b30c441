//! Env files and environments to measure.

/// One measurement.
pub struct Case {
    pub description: &'static str,
    /// The content of the env file, if there is one.
    pub file: Option<&'static str>,
    pub process_env: &'static [(&'static str, &'static str)],
}

const fn file(description: &'static str, file: &'static str) -> Case {
    Case {
        description,
        file: Some(file),
        process_env: &[],
    }
}

const fn with_environment(
    description: &'static str,
    file: Option<&'static str>,
    process_env: &'static [(&'static str, &'static str)],
) -> Case {
    Case {
        description,
        file,
        process_env,
    }
}

pub const CASES: [Case; 26] = [
    file(
        "single-quoted JSON list",
        "NETWORK_NAME=local\n\
         NYXD=http://127.0.0.1:26657\n\
         NYM_API=http://127.0.0.1:8000/api/\n\
         NYM_APIS='[{\"url\":\"http://127.0.0.1:8000/api/\",\"front_hosts\":null}]'\n\
         NYM_VPN_APIS='[]'\n",
    ),
    file(
        "only NYM_API: mainnet list wins",
        "NETWORK_NAME=local\nNYM_API=http://127.0.0.1:8000/api/\n",
    ),
    file(
        "empty NYM_APIS: NYM_API effective",
        "NETWORK_NAME=local\nNYM_API=http://127.0.0.1:8000/api/\nNYM_APIS=\n",
    ),
    file(
        "NYM_APIS=[]: NYM_API effective",
        "NETWORK_NAME=local\nNYM_API=http://127.0.0.1:8000/api/\nNYM_APIS=[]\n",
    ),
    file(
        "unquoted JSON: double quotes are lost",
        "NETWORK_NAME=local\n\
         NYM_APIS=[{\"url\":\"http://127.0.0.1:8000/api/\",\"front_hosts\":null}]\n",
    ),
    file(
        "double-quoted JSON with escapes",
        "NETWORK_NAME=local\nNYM_APIS=\"[{\\\"url\\\":\\\"http://127.0.0.1:8000/api/\\\"}]\"\n",
    ),
    with_environment(
        "process environment wins over the file",
        Some("NETWORK_NAME=local\nNYM_APIS='[{\"url\":\"http://127.0.0.1:8000/api/\"}]'\n"),
        &[("NYM_APIS", "[{\"url\":\"http://9.9.9.9/\"}]")],
    ),
    with_environment(
        "CONFIGURED preset: file not loaded",
        Some("NETWORK_NAME=local\nNYM_APIS='[{\"url\":\"http://127.0.0.1:8000/api/\"}]'\n"),
        &[("CONFIGURED", "1")],
    ),
    with_environment(
        "no file: exported variables overwritten by mainnet",
        None,
        &[("NYM_APIS", "[{\"url\":\"http://9.9.9.9/\"}]"), ("NETWORK_NAME", "x")],
    ),
    with_environment(
        "CONFIGURED preset: exported variables count",
        Some("NETWORK_NAME=local\n"),
        &[
            ("CONFIGURED", "true"),
            ("NYM_APIS", "[{\"url\":\"http://9.9.9.9/\",\"front_hosts\":[]}]"),
            ("NETWORK_NAME", "x"),
            ("NYXD", "http://9.9.9.9:26657"),
        ],
    ),
    with_environment(
        "CONFIGURED preset: the file is read all the same",
        Some("this is no env file\n"),
        &[("CONFIGURED", "1")],
    ),
    with_environment("CONFIGURED preset, no file", None, &[("CONFIGURED", "1"), ("NETWORK_NAME", "x")]),
    file("empty file", ""),
    file(
        "two directories, one with front hosts",
        "NETWORK_NAME=two\n\
         NYM_APIS='[{\"url\":\"http://127.0.0.1:8000/api\",\"front_hosts\":[\"a.example\",\
         \"b.example\"]},{\"url\":\"http://[::1]:8000/api/\"}]'\n",
    ),
    file(
        "comments, export, white space and carriage returns",
        "# a network\r\nexport NETWORK_NAME = local # here\r\n\r\n  NYM_APIS='[{\"url\":\
         \"http://127.0.0.1/\"}]'\r\n#NYXD=http://127.0.0.1:1\r\n",
    ),
    file(
        "substitution of a variable of the file",
        "HOST=127.0.0.1\nNETWORK_NAME=local-$HOST\nNYM_APIS=\nNYM_API=\"http://${HOST}:8000/api\"\n",
    ),
    with_environment(
        "substitution of a variable of the environment, but not in single quotes",
        Some("HOST=127.0.0.1\nNETWORK_NAME='$HOST'\nNYM_APIS=\nNYM_API=http://${HOST}/\n"),
        &[("HOST", "9.9.9.9")],
    ),
    file(
        "a variable set twice: the first counts",
        "NETWORK_NAME=first\nNETWORK_NAME=second\nNYM_APIS=\nNYM_API=http://127.0.0.1/\n",
    ),
    file(
        "old names of variables",
        "NETWORK_NAME=local\nNYM_APIS=\nAPI_VALIDATOR=http://127.0.0.1:8000/api/\n\
         NYMD_VALIDATOR=http://127.0.0.1:26657\n",
    ),
    file(
        "old and new names of variables: the new ones count",
        "NETWORK_NAME=local\nNYM_APIS=\nAPI_VALIDATOR=http://127.0.0.1:1/\n\
         NYM_API=HTTP://LOCALHOST:80\nNYMD_VALIDATOR=http://127.0.0.1:2/\nNYXD=http://127.0.0.1:3/\n",
    ),
    file("neither NYM_APIS nor NYM_API", "NETWORK_NAME=local\nNYM_APIS=\nNYM_API=\n"),
    file("NYM_API is no URL", "NETWORK_NAME=local\nNYM_APIS=\nNYM_API=127.0.0.1\n"),
    file("a line without an equals sign", "NETWORK_NAME=local\nNYM_API\n"),
    file("an open quote", "NETWORK_NAME='local\nNYM_APIS=\n"),
    file(
        "a URL list of another shape",
        "NETWORK_NAME=local\nNYM_APIS='[\"http://127.0.0.1/\"]'\n",
    ),
    file("a denomination without exponent", "NETWORK_NAME=local\nDENOMS_EXPONENT=six\n"),
];
