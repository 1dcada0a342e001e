package webhooks

const (
	QueryDeliveries = queryDeliveries
	QueryAside      = queryAside
)
