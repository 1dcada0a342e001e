package outbox

const QueryEndpointEvents = queryEndpointEvents
