-- The payments of an order: whether it was charged back before, however long ago.
CREATE INDEX payments_by_order ON ticketing.payments (order_id);
