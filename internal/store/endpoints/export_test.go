package endpoints

const (
	QueryByID     = queryByID
	QuerySnapshot = querySnapshot
	QueryFast     = queryFast
)
