//! What the broker is, and who asks. Fields of RabbitMQ's overview that nothing here counts are left out.

use serde_json::{Map, Value as Json};
use warren_broker::route::{EXCHANGE_TYPES, ExchangeType};

use crate::answer::{Answer, Refused, object};
use crate::asked::Asked;

/// `GET /api/overview`.
pub(super) fn overview(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let settings = asked.settings;
    let (exchanges, queues) = asked.node.catalog(|catalog| {
        let all = catalog
            .vhosts()
            .filter(|vhost| asked.caller.monitors(vhost.properties.name.as_str()));
        all.fold((0, 0), |(exchanges, queues), vhost| {
            (
                exchanges + vhost.exchanges().count(),
                queues + vhost.queues().count(),
            )
        })
    });
    let connections = asked
        .node
        .session_count_in(|vhost| asked.caller.monitors(vhost.as_str()));
    let mut overview = object! {
        "management_version": settings.version.as_str(),
        "rates_mode": "none",
        "exchange_types": exchange_types(),
        "product_version": settings.version.as_str(),
        "product_name": settings.product.as_str(),
        "rabbitmq_version": settings.version.as_str(),
        "cluster_name": settings.cluster.as_str(),
        "cluster_tags": Map::new(),
        "node_tags": Map::new(),
        "disable_stats": true,
        "default_queue_type": "classic",
        "enable_queue_totals": false,
        "object_totals": object! {
            "exchanges": exchanges,
            "queues": queues,
            "connections": connections,
        },
        "node": settings.node.as_str(),
    };
    if asked.caller.is_monitoring() {
        overview.insert("listeners".to_owned(), listeners(asked));
    }
    Ok(Answer::Object(overview))
}

fn exchange_types() -> Vec<Json> {
    let row = |row: &ExchangeType| {
        Json::Object(object! { "name": row.name, "description": row.description, "enabled": true })
    };
    EXCHANGE_TYPES.iter().map(row).collect()
}

fn listeners(asked: &Asked<'_>) -> Json {
    let all = asked.settings.listeners.iter().map(|listener| {
        Json::Object(object! {
            "node": asked.settings.node.as_str(),
            "protocol": listener.protocol,
            "ip_address": listener.address.ip().to_string(),
            "port": listener.address.port(),
        })
    });
    all.collect()
}

/// `GET /api/cluster-name`.
pub(super) fn cluster_name(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::Object(
        object! { "name": asked.settings.cluster.as_str() },
    ))
}

/// `GET /api/version`.
pub(super) fn version(asked: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::Plain(asked.settings.version.as_str().into()))
}

/// `GET /api/auth`.
pub(super) fn auth(_: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::Object(object! { "oauth_enabled": false }))
}

/// `GET /api/extensions`.
pub(super) fn extensions(_: &Asked<'_>) -> Result<Answer, Refused> {
    Ok(Answer::List(Vec::new()))
}

/// `GET /api/whoami`.
pub(super) fn whoami(asked: &Asked<'_>) -> Result<Answer, Refused> {
    let user = asked.caller.user();
    let tags: Vec<&str> = user.tags.iter().map(|tag| &**tag).collect();
    Ok(Answer::Object(object! {
        "name": user.name.as_str(),
        "tags": tags,
        "is_internal_user": true,
    }))
}
