//! Routes and what is said of them, from one list: there is no way to add the one without the other.

use super::{answer, condition, named, permit};
use crate::away::unless_away;
use crate::conditional::on_condition;
use crate::once::once;
use crate::turn::in_turn;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{Handler, Responder, Route};
use runtime::http::{Code, only};
use utoipa::openapi::path::{self, PathItem};
use utoipa::openapi::{InfoBuilder, OpenApi, Paths};

/// A method of a path: what it does, what is said of it, and what it refuses.
pub(crate) struct Operation {
    described: OpenApi,
    route: Route,
    refuses: Vec<Code>,
}

/// The operation of a handler that has `#[utoipa::path]`: its method and path are those of the description.
macro_rules! operation {
    ($($handler:ident)::+) => {{
        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($handler)::+))]
        struct Described;

        $crate::openapi::Operation::new(
            <Described as utoipa::OpenApi>::openapi(),
            $($handler)::+,
        )
    }};
}

pub(crate) use operation;

impl Operation {
    pub(crate) fn new<F, Args>(described: OpenApi, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: actix_web::FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        Self {
            described,
            route: web::to(handler),
            refuses: Vec::new(),
        }
    }

    /// What it may refuse besides what any operation with its parameters and its body may: those
    /// [`answer::usual`] knows.
    pub(crate) fn refuses(mut self, codes: &[Code]) -> Self {
        self.refuses.extend_from_slice(codes);
        self
    }
}

/// Everything that is served, in the order in which paths are looked through.
pub(crate) struct Routes {
    resources: Vec<(String, Vec<(Method, Route)>)>,
    document: OpenApi,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            resources: Vec::new(),
            document: OpenApi::new(InfoBuilder::new().build(), Paths::new()),
        }
    }
}

impl Routes {
    pub(crate) fn add(&mut self, operation: Operation) -> &mut Self {
        let Operation {
            mut described,
            route,
            refuses,
        } = operation;
        for (path, item) in &mut described.paths.paths {
            let Some((method, of_method)) = only_method(item) else {
                continue;
            };
            let mut refuses = refuses;
            refuses.extend(permit::complete(&method, path, of_method));
            let is_done_once = named::complete(&method, path, of_method, &mut refuses);
            condition::complete(&method, path, of_method, &mut refuses);
            let refusals = answer::complete(of_method, &refuses);
            let components = described.components.get_or_insert_default();
            components.responses.extend(refusals);
            let mut route = route.method(method.clone());
            if is_done_once {
                route = route.wrap(from_fn(once));
            }
            // What comes last is asked first.
            let route = route
                .wrap(from_fn(on_condition))
                .wrap(from_fn(in_turn))
                .wrap(from_fn(unless_away));
            match self.resources.iter_mut().find(|(known, _)| known == path) {
                Some((_, routes)) => routes.push((method, route)),
                None => self.resources.push((path.clone(), vec![(method, route)])),
            }
            // A handler is one operation.
            break;
        }
        self.document.merge(described);
        self
    }

    /// Serves them. A method that a path does not take is answered with those that it takes.
    pub(crate) fn serve(self, config: &mut ServiceConfig) {
        for (path, mut routes) in self.resources {
            routes.sort_by_key(|(method, _)| place(method));
            let methods: Vec<Method> = routes.iter().map(|(method, _)| method.clone()).collect();
            let resource = web::resource(path).default_service(only(&methods));
            let routes = routes.into_iter().map(|(_, route)| route);
            config.service(routes.fold(resource, actix_web::Resource::route));
        }
    }

    /// Says what they are.
    pub(crate) fn document(self) -> OpenApi {
        self.document
    }
}

fn only_method(item: &mut PathItem) -> Option<(Method, &mut path::Operation)> {
    let all = [
        (Method::GET, &mut item.get),
        (Method::POST, &mut item.post),
        (Method::PUT, &mut item.put),
        (Method::PATCH, &mut item.patch),
        (Method::DELETE, &mut item.delete),
    ];
    all.into_iter()
        .find_map(|(method, described)| Some((method, described.as_mut()?)))
}

/// The order in which methods are told.
fn place(method: &Method) -> usize {
    let order = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    order
        .iter()
        .position(|known| known == method)
        .unwrap_or(order.len())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// What adds a route past this list, written so that this file does not name it.
    const PAST: [&str; 2] = [concat!("web::", "resource("), concat!(".route", "(")];

    #[test]
    fn no_route_is_added_past_the_list_that_the_document_is_made_of() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let here = source.join("openapi");
        for file in files(&source) {
            let text = fs::read_to_string(&file).unwrap();
            let is_past = !file.starts_with(&here) && PAST.iter().any(|past| text.contains(past));
            assert!(!is_past, "{} adds a route by itself", file.display());
        }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut all = Vec::new();
        for path in entries {
            if path.is_dir() {
                all.extend(files(&path));
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                all.push(path);
            }
        }
        all
    }
}
