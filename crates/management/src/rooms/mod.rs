//! The table of all paths, and what each of their methods needs. One file a resource.

mod global_parameters;
mod limits;
mod overview;
mod parameters;
mod permissions;
mod policies;
mod topic_permissions;
mod users;
mod vhosts;

use axum::http::Method;

use crate::access::Needs;
use crate::answer::{Answer, Refused};
use crate::asked::Asked;

/// A resource: a path and what may be done there.
#[derive(Debug)]
pub(crate) struct Room {
    /// As axum takes it; `{vhost}` and `{user}` always mean the same.
    pub(crate) path: &'static str,
    pub(crate) ways: &'static [Way],
}

/// One method of a path.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) verb: Verb,
    /// What is asked for before [`act`](Self::act) is called.
    pub(crate) needs: Needs,
    pub(crate) act: Act,
}

/// What a room does.
pub(crate) type Act = fn(&Asked<'_>) -> Result<Answer, Refused>;

/// The methods that rooms have; a GET answers HEAD, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

impl Verb {
    pub(crate) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::PUT => Some(Self::Put),
            Method::POST => Some(Self::Post),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl Room {
    /// The methods of the path, in RabbitMQ's order.
    pub(crate) fn methods(&self) -> String {
        let mut all = Vec::new();
        for way in self.ways {
            if way.verb == Verb::Get {
                all.push("HEAD");
            }
            all.push(way.verb.word());
        }
        all.push("OPTIONS");
        all.join(", ")
    }
}

const fn get(needs: Needs, act: Act) -> Way {
    Way {
        verb: Verb::Get,
        needs,
        act,
    }
}

const fn put(needs: Needs, act: Act) -> Way {
    Way {
        verb: Verb::Put,
        needs,
        act,
    }
}

const fn post(needs: Needs, act: Act) -> Way {
    Way {
        verb: Verb::Post,
        needs,
        act,
    }
}

const fn delete(needs: Needs, act: Act) -> Way {
    Way {
        verb: Verb::Delete,
        needs,
        act,
    }
}

const fn room(path: &'static str, ways: &'static [Way]) -> Room {
    Room { path, ways }
}

use Needs::{Administrator, Management, Nothing, Policymaker, Vhost, VhostOrMonitoring};

/// All rooms. RabbitMQ: management HTTP API reference.
pub(crate) static ROOMS: &[Room] = &[
    room("/api/overview", &[get(Management, overview::overview)]),
    room("/api/cluster-name", &[get(Management, overview::cluster_name)]),
    room("/api/version", &[get(Nothing, overview::version)]),
    room("/api/auth", &[get(Nothing, overview::auth)]),
    room("/api/whoami", &[get(Management, overview::whoami)]),
    room("/api/extensions", &[get(Management, overview::extensions)]),
    room(
        "/api/auth/hash_password/{password}",
        &[get(Administrator, users::hash_password)],
    ),
    room("/api/vhosts", &[get(Management, vhosts::list)]),
    room(
        "/api/vhosts/{vhost}",
        &[
            get(Administrator, vhosts::get),
            put(Administrator, vhosts::put),
            delete(Administrator, vhosts::delete),
        ],
    ),
    room(
        "/api/vhosts/{vhost}/permissions",
        &[get(Administrator, permissions::list)],
    ),
    room(
        "/api/vhosts/{vhost}/topic-permissions",
        &[get(Administrator, topic_permissions::list)],
    ),
    room("/api/users", &[get(Administrator, users::list)]),
    room(
        "/api/users/without-permissions",
        &[get(Administrator, users::without_permissions)],
    ),
    room(
        "/api/users/bulk-delete",
        &[post(Administrator, users::delete_many)],
    ),
    room(
        "/api/users/{user}",
        &[
            get(Administrator, users::get),
            put(Administrator, users::put),
            delete(Administrator, users::delete),
        ],
    ),
    room(
        "/api/users/{user}/permissions",
        &[get(Administrator, permissions::list)],
    ),
    room(
        "/api/users/{user}/topic-permissions",
        &[get(Administrator, topic_permissions::list)],
    ),
    room("/api/permissions", &[get(Administrator, permissions::list)]),
    room(
        "/api/permissions/{vhost}/{user}",
        &[
            get(Administrator, permissions::get),
            put(Administrator, permissions::put),
            delete(Administrator, permissions::delete),
        ],
    ),
    room(
        "/api/topic-permissions",
        &[get(Administrator, topic_permissions::list)],
    ),
    room(
        "/api/topic-permissions/{vhost}/{user}",
        &[
            get(Administrator, topic_permissions::get),
            put(Administrator, topic_permissions::put),
            delete(Administrator, topic_permissions::delete),
        ],
    ),
    room(
        "/api/topic-permissions/{vhost}/{user}/{exchange}",
        &[
            get(Administrator, topic_permissions::get),
            put(Administrator, topic_permissions::put),
            delete(Administrator, topic_permissions::delete),
        ],
    ),
    room("/api/parameters", &[get(Policymaker, parameters::list)]),
    room(
        "/api/parameters/{component}",
        &[get(Policymaker, parameters::list)],
    ),
    room(
        "/api/parameters/{component}/{vhost}",
        &[get(Policymaker, parameters::list)],
    ),
    room(
        "/api/parameters/{component}/{vhost}/{name}",
        &[
            get(Policymaker, parameters::get),
            put(Policymaker, parameters::put),
            delete(Policymaker, parameters::delete),
        ],
    ),
    room(
        "/api/global-parameters",
        &[get(Policymaker, global_parameters::list)],
    ),
    room(
        "/api/global-parameters/{name}",
        &[
            get(Policymaker, global_parameters::get),
            put(Policymaker, global_parameters::put),
            delete(Policymaker, global_parameters::delete),
        ],
    ),
    room("/api/policies", &[get(Management, policies::list)]),
    room("/api/policies/{vhost}", &[get(Vhost, policies::list)]),
    room(
        "/api/policies/{vhost}/{name}",
        &[
            get(Policymaker, policies::get),
            put(Policymaker, policies::put),
            delete(Policymaker, policies::delete),
        ],
    ),
    room(
        "/api/operator-policies",
        &[get(Management, policies::list_of_operators)],
    ),
    room(
        "/api/operator-policies/{vhost}",
        &[get(Vhost, policies::list_of_operators)],
    ),
    room(
        "/api/operator-policies/{vhost}/{name}",
        &[
            get(Administrator, policies::get_of_operators),
            put(Administrator, policies::put_of_operators),
            delete(Administrator, policies::delete_of_operators),
        ],
    ),
    room("/api/vhost-limits", &[get(Management, limits::list_of_vhosts)]),
    room(
        "/api/vhost-limits/{vhost}",
        &[get(VhostOrMonitoring, limits::of_vhost)],
    ),
    room(
        "/api/vhost-limits/{vhost}/{name}",
        &[
            put(Administrator, limits::put_of_vhost),
            delete(Administrator, limits::delete_of_vhost),
        ],
    ),
    room("/api/user-limits", &[get(Management, limits::list_of_users)]),
    room("/api/user-limits/{user}", &[get(Management, limits::of_user)]),
    room(
        "/api/user-limits/{user}/{name}",
        &[
            put(Administrator, limits::put_of_user),
            delete(Administrator, limits::delete_of_user),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_told_in_rabbitmqs_order() {
        let methods = |path: &str| {
            let room = ROOMS.iter().find(|room| room.path == path);
            room.map(Room::methods).unwrap_or_default()
        };
        assert_eq!(methods("/api/vhosts/{vhost}"), "HEAD, GET, PUT, DELETE, OPTIONS");
        assert_eq!(methods("/api/users/bulk-delete"), "POST, OPTIONS");
        assert_eq!(
            methods("/api/vhost-limits/{vhost}/{name}"),
            "PUT, DELETE, OPTIONS"
        );
    }

    /// Only these tell anything to whoever asks.
    #[test]
    fn nothing_else_is_open_to_everybody() {
        let open = ROOMS
            .iter()
            .filter(|room| room.ways.iter().any(|way| way.needs == Nothing));
        let paths: Vec<_> = open.map(|room| room.path).collect();
        assert_eq!(paths, ["/api/version", "/api/auth"]);
        let changing = ROOMS
            .iter()
            .flat_map(|room| room.ways)
            .filter(|way| way.verb != Verb::Get);
        for way in changing {
            assert!(matches!(way.needs, Administrator | Policymaker), "{way:?}");
        }
    }
}
